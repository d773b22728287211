# An end that speaks first when all is over may acknowledge one octet more than was seen (a keepalive).
kernel = yes

+0    > S   0:0(0)                accept SYN_SENT
+.01  < A   300:300(0) ack -5000  accept ignored SYN_SENT
+.01  > R   -5000:-5000(0)        accept CLOSE
+.01  < FA  300:300(0) ack 2      accept CLOSE
+.01  < A   301:301(0) ack 3      drop out_of_window CLOSE

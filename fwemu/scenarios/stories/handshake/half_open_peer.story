# A server that still has an old connection says so, and the client ends that one (RFC 9293 3.5.1).
kernel = yes

+0    > S   0:0(0)                accept SYN_SENT
+.01  < A   300:300(0) ack -5000  accept ignored SYN_SENT
+.01  > R   -5000:-5000(0)        accept CLOSE
+.01  > S   0:0(0)                accept opened SYN_SENT
      end reused CLOSE
+.01  < SA  900:900(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 901        accept ESTABLISHED

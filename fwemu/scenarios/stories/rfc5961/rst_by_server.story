# The numbers of a RST count in the other direction just as much.
kernel = yes

+0    > S   0:0(0)            accept SYN_SENT
+.01  < SA  0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+0    < PA  1:101(100) ack 1  accept ESTABLISHED
+.01  > A   1:1(0) ack 101    accept ESTABLISHED
+.01  < R   301:301(0)        accept ESTABLISHED
+.01  > A   1:1(0) ack 101    accept ESTABLISHED
+.01  < R   50:50(0)          drop out_of_window ESTABLISHED
+.01  < R   101:101(0)        accept CLOSE

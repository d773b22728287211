# FINs are repeated from either end while their ACKs are lost; the last one even after the close.

+0    > S   0:0(0)        accept SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED
+0    > FA  1:1(0) ack 1  accept FIN_WAIT
+.2   > FA  1:1(0) ack 1  accept FIN_WAIT
+.01  < FA  1:1(0) ack 2  accept LAST_ACK
+.2   < FA  1:1(0) ack 2  accept LAST_ACK
+.01  > A   2:2(0) ack 2  accept TIME_WAIT
+.2   < FA  1:1(0) ack 2  accept TIME_WAIT
+.01  > A   2:2(0) ack 2  accept TIME_WAIT

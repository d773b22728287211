# Linux: a FIN that one end repeats counts as the other's, and the ACK to it ends the connection.
kernel = yes
set tcp.closing=by-flags

+0    > S   0:0(0)        accept SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED
+0    > FA  1:1(0) ack 1  accept FIN_WAIT
+.2   > FA  1:1(0) ack 1  accept LAST_ACK
+.01  < A   1:1(0) ack 2  accept TIME_WAIT
+.2   < PA  1:11(10) ack 2  accept TIME_WAIT
+.01  > A   2:2(0) ack 11   accept TIME_WAIT
+0    < FA  11:11(0) ack 2  accept TIME_WAIT
+.01  > A   2:2(0) ack 12   accept TIME_WAIT

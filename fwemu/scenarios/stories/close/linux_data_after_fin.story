# Linux: an ACK that does not cover the FIN is the one that was due, of either end.
kernel = yes
set tcp.closing=by-flags

+0    > S   0:0(0)             accept SYN_SENT
+.01  < SA  0:0(0) ack 1       accept SYN_RECV
+.01  > A   1:1(0) ack 1       accept ESTABLISHED
+0    > FA  1:101(100) ack 1   accept FIN_WAIT
+0    < PA  1:11(10) ack 1     accept CLOSE_WAIT
+0    < FA  11:11(0) ack 1     accept LAST_ACK
+.01  > A   102:102(0) ack 11  accept TIME_WAIT
+0    > A   102:102(0) ack 12  accept TIME_WAIT
+0    < A   12:12(0) ack 102   accept TIME_WAIT

# Linux: both ends close at once, and the first ACK ends it.
kernel = yes
set tcp.closing=by-flags

+0    > S   0:0(0)        accept SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED
+0    > FA  1:1(0) ack 1  accept FIN_WAIT
+0    < FA  1:1(0) ack 1  accept LAST_ACK
+.01  > A   2:2(0) ack 2  accept TIME_WAIT
+0    < A   2:2(0) ack 2  accept TIME_WAIT

# Server first, and the opener's FIN repeated; data on a FIN counts before it.
kernel = yes

+0    > S   0:0(0)             accept SYN_SENT
+.01  < SA  0:0(0) ack 1       accept SYN_RECV
+.01  > A   1:1(0) ack 1       accept ESTABLISHED
+0    < FA  1:101(100) ack 1   accept FIN_WAIT
+.01  > A   1:1(0) ack 102     accept CLOSE_WAIT
+0    > FA  1:51(50) ack 102   accept LAST_ACK
+.2   > FA  1:51(50) ack 102   accept LAST_ACK
+.01  < A   102:102(0) ack 52  accept TIME_WAIT
+.2   > FA  1:51(50) ack 102   accept TIME_WAIT
+.01  < A   102:102(0) ack 52  accept TIME_WAIT

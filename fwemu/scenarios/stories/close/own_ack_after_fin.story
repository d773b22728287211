# What the closing end acknowledges itself does not make its own FIN acknowledged.
+0    > S   0:0(0)            accept SYN_SENT
+.01  < SA  0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+0    < PA  1:11(10) ack 1    accept ESTABLISHED
+0    > FA  1:1(0) ack 1      accept FIN_WAIT
+0    > A   2:2(0) ack 11     accept FIN_WAIT
+.01  < A   11:11(0) ack 2    accept CLOSE_WAIT
+0    < FA  11:11(0) ack 2    accept LAST_ACK
+.01  > A   2:2(0) ack 12     accept TIME_WAIT

# The opener has asked and closed; the answer and the last FIN cross the ACKs to what came before.
+0    > S   0:0(0)                 accept SYN_SENT
+.01  < SA  0:0(0) ack 1           accept SYN_RECV
+.01  > A   1:1(0) ack 1           accept ESTABLISHED
+0    > FA  1:101(100) ack 1       accept FIN_WAIT
+0    < A   1:1(0) ack 1           accept FIN_WAIT
+.01  < A   1:1(0) ack 102         accept CLOSE_WAIT
+.1   < PA  1:1001(1000) ack 102   accept CLOSE_WAIT
+0    < FA  1001:1001(0) ack 102   accept LAST_ACK
+.001 > A   102:102(0) ack 501     accept LAST_ACK
+.001 < A   1002:1002(0) ack 102   accept LAST_ACK
+.001 > A   102:102(0) ack 1002    accept TIME_WAIT

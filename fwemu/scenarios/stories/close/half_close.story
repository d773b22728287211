# One end has finished, the other goes on for long: each segment keeps the half of it alive.
+0    > S   0:0(0)                 accept SYN_SENT
+.01  < SA  0:0(0) ack 1           accept SYN_RECV
+.01  > A   1:1(0) ack 1           accept ESTABLISHED
+0    > FA  1:1(0) ack 1           accept FIN_WAIT
+.01  < A   1:1(0) ack 2           accept CLOSE_WAIT
+119  < PA  1:1001(1000) ack 2     accept CLOSE_WAIT
+119  > A   2:2(0) ack 1001        accept CLOSE_WAIT
+119  < PA  1001:2001(1000) ack 2  accept CLOSE_WAIT
+0    < FA  2001:2001(0) ack 2     accept LAST_ACK
+.01  > A   2:2(0) ack 2002        accept TIME_WAIT

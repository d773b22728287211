# The answer and the last FIN cross the opener's ACKs: the slot is free with the one that covers it.
profile = cisco-asa
+0    > S   0:0(0)                 accept SYN_SENT
+.01  < SA  0:0(0) ack 1           accept SYN_RECV
+.01  > A   1:1(0) ack 1           accept ESTABLISHED
+0    > FA  1:1(0) ack 1           accept FIN_WAIT
+.01  < A   1:1(0) ack 2           accept CLOSE_WAIT
+.1   < PA  1:1001(1000) ack 2     accept CLOSE_WAIT
+0    < PA  1001:2001(1000) ack 2  accept CLOSE_WAIT
+0    < FA  2001:2001(0) ack 2     accept LAST_ACK
+.001 > A   2:2(0) ack 1001        accept LAST_ACK
+.001 > A   2:2(0) ack 2002        accept NONE
      end closed_by_fin TIME_WAIT

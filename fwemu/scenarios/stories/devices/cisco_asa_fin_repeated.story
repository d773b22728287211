# The opener closes its side and repeats its FIN (its ACK is late): the other end has not closed.
profile = cisco-asa
+0    > S   0:0(0)                 accept SYN_SENT
+.01  < SA  0:0(0) ack 1           accept SYN_RECV
+.01  > A   1:1(0) ack 1           accept ESTABLISHED
+0    > FA  1:1(0) ack 1           accept FIN_WAIT
+.005 > FA  1:1(0) ack 1           accept FIN_WAIT
+.001 < A   1:1(0) ack 2           accept CLOSE_WAIT
+.1   < PA  1:1001(1000) ack 2     accept CLOSE_WAIT

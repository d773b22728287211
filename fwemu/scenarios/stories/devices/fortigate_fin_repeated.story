# A FIN is repeated (its ACK was slow) and the server goes on: half closed for two minutes, not closed.
profile = fortigate
ip = 4

+0    > S   0:0(0)            accept SYN_SENT
+.01  < SA  0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+1    > FA  1:1(0) ack 1      accept
+.2   > FA  1:1(0) ack 1      accept
+.01  < A   1:1(0) ack 2      accept
+5    < PA  1:11(10) ack 2    accept
+.01  > A   2:2(0) ack 11     accept

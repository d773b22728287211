# A connection is released after both FINs; a repeated one of the same end is not the second.
profile = cisco-asa
ip = 4

+0    > S   0:0(0)            accept SYN_SENT
+.01  < SA  0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+1    > FA  1:1(0) ack 1      accept FIN_WAIT
+.2   > FA  1:1(0) ack 1      accept FIN_WAIT
+.01  < A   1:1(0) ack 2      accept CLOSE_WAIT
+5    < PA  1:11(10) ack 2    accept CLOSE_WAIT
+.01  > A   2:2(0) ack 11     accept CLOSE_WAIT

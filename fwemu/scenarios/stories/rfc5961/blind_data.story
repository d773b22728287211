# Data whose acknowledgement is absurdly old is passed for the receiver to judge; it teaches nothing.
kernel = yes

+0    > S   0:0(0)                   accept SYN_SENT
+.01  < SA  0:0(0) ack 1             accept SYN_RECV
+.01  > A   1:1(0) ack 1             accept ESTABLISHED
+0    > PA  1:101(100) ack -2000000  accept ignored ESTABLISHED
+0    > PA  1:101(100) ack 1         accept ESTABLISHED

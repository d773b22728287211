# An end that never offered SACK gets none: such a block counts for nothing.
kernel = yes

+0    > S   0:0(0)                         accept SYN_SENT
+.01  < SA  0:0(0) ack 1                   accept SYN_RECV
+.01  > A   1:1(0) ack 1                   accept ESTABLISHED
+0    > A   1:1001(1000) ack 1             accept ESTABLISHED
+.01  < A   1:1(0) ack 1 <sack 5001:6001>  accept ESTABLISHED

# Blocks are acknowledged selectively, before the gap is filled (RFC 2018).
kernel = yes

+0    > S   0:0(0) <sackOK>                   accept SYN_SENT
+.01  < SA  0:0(0) ack 1 <sackOK>             accept SYN_RECV
+.01  > A   1:1(0) ack 1                      accept ESTABLISHED
+0    > A   1:1001(1000) ack 1                accept ESTABLISHED
+0    > A   2001:3001(1000) ack 1             accept ESTABLISHED
+.01  < A   1:1(0) ack 1001 <sack 2001:3001>  accept ESTABLISHED
+.1   > A   1001:2001(1000) ack 1             accept ESTABLISHED
+.01  < A   1:1(0) ack 3001                   accept ESTABLISHED

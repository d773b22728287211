# The net has exchanged two segments, and lost one that is sent again.
kernel = yes

+0    > S   0:0(0)                 accept SYN_SENT
+.01  < SA  0:0(0) ack 1           accept SYN_RECV
+.01  > A   1:1(0) ack 1           accept ESTABLISHED
+0    > A   1001:2001(1000) ack 1  accept ESTABLISHED
+0    > A   1:1001(1000) ack 1     accept ESTABLISHED
+.01  < A   1:1(0) ack 2001        accept ESTABLISHED
+0    > A   3001:4001(1000) ack 1  accept ESTABLISHED
+.01  < A   1:1(0) ack 2001        accept ESTABLISHED
+.2   > A   2001:3001(1000) ack 1  accept ESTABLISHED
+.01  < A   1:1(0) ack 4001        accept ESTABLISHED

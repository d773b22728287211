# The same, but the answer of the other end comes first.
kernel = yes

+0    > S   0:0(0)        accept SYN_SENT
+0    < S   0:0(0)        accept SYN_SENT2
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+0    > SA  0:0(0) ack 1  accept SYN_RECV
+.01  < A   1:1(0) ack 1  accept ESTABLISHED

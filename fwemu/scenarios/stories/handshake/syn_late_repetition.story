# A copy of the SYN that the net has held back arrives after its answer, and does no harm.
kernel = yes

+0    > S   0:0(0)        accept SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.01  > S   0:0(0)        accept ignored SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED

# Before a SYN-ACK the opener has nothing to acknowledge, to answer or to close.
kernel = yes

+0    > S   0:0(0)        accept SYN_SENT
+.01  > A   1:1(0) ack 1  drop invalid_state SYN_SENT
+.01  > SA  0:0(0) ack 1  drop invalid_state SYN_SENT
+.01  > FA  1:1(0) ack 1  drop invalid_state SYN_SENT
+.01  < FA  1:1(0) ack 1  drop invalid_state SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.01  < S   0:0(0)        drop invalid_state SYN_RECV

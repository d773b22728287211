# Both SYNs are repeated, and nothing but a SYN-ACK leads on; either end may still give up.
kernel = yes

+0    > S   0:0(0)        accept SYN_SENT
+0    < S   0:0(0)        accept SYN_SENT2
+.1   > S   0:0(0)        accept SYN_SENT2
+0    < S   0:0(0)        accept SYN_SENT2
+.01  > A   1:1(0) ack 1  drop invalid_state SYN_SENT2
+0    < A   1:1(0) ack 1  accept ignored SYN_SENT2
+.01  > FA  1:1(0) ack 1  drop invalid_state SYN_SENT2
+0    < FA  1:1(0) ack 1  drop invalid_state SYN_SENT2
+.01  > R   1:1(0)        accept CLOSE

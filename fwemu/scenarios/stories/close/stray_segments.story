# SYN-ACKs and SYNs of another life pass or not as each state has it, and move nothing.
kernel = yes

+0    > S   0:0(0)          accept SYN_SENT
+.01  < SA  0:0(0) ack 1    accept SYN_RECV
+.01  > A   1:1(0) ack 1    accept ESTABLISHED
+0    > SA  0:0(0) ack 1    drop invalid_state ESTABLISHED
+0    < S   0:0(0)          drop invalid_state ESTABLISHED
+0    > FA  1:1(0) ack 1    accept FIN_WAIT
+0    > SA  0:0(0) ack 1    drop invalid_state FIN_WAIT
+0    < S   0:0(0)          drop invalid_state FIN_WAIT
+0    < SA  0:0(0) ack 1    accept ignored FIN_WAIT
+0    > S   90000:90000(0)  accept ignored FIN_WAIT
+.01  < A   1:1(0) ack 2    accept CLOSE_WAIT
+0    > SA  0:0(0) ack 1    drop invalid_state CLOSE_WAIT
+0    < S   0:0(0)          drop invalid_state CLOSE_WAIT
+0    < SA  0:0(0) ack 1    accept ignored CLOSE_WAIT
+0    > S   90000:90000(0)  accept ignored CLOSE_WAIT
+.01  < FA  1:1(0) ack 2    accept LAST_ACK
+0    > SA  0:0(0) ack 1    drop invalid_state LAST_ACK
+0    < S   0:0(0)          drop invalid_state LAST_ACK
+0    < SA  0:0(0) ack 1    accept ignored LAST_ACK
+0    > S   90000:90000(0)  accept ignored LAST_ACK
+.01  > A   2:2(0) ack 2    accept TIME_WAIT
+0    > SA  0:0(0) ack 1    drop invalid_state TIME_WAIT
+0    < SA  0:0(0) ack 1    accept ignored TIME_WAIT

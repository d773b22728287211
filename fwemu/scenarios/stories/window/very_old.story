# A repetition from further back than a window may be late: passes, but its session is left alone.
kernel = yes

+0    > S   0:0(0) win 1000                 accept SYN_SENT
+.01  < SA  0:0(0) ack 1 win 1000           accept SYN_RECV
+.01  > A   1:1(0) ack 1 win 1000           accept ESTABLISHED
+0    > PA  1:1001(1000) ack 1 win 1000     accept ESTABLISHED
+.01  < A   1:1(0) ack 1001 win 1000        accept ESTABLISHED
+0    > PA  1001:2001(1000) ack 1 win 1000  accept ESTABLISHED
+.01  < A   1:1(0) ack 2001 win 1000        accept ESTABLISHED
+0    > PA  2001:3001(1000) ack 1 win 1000  accept ESTABLISHED
+.01  < A   1:1(0) ack 3001 win 1000        accept ESTABLISHED
+.2   > PA  1:1001(1000) ack 1 win 1000     accept ignored ESTABLISHED

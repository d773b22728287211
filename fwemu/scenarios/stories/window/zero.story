# A receiver that is full offers nothing; the sender asks with one octet until there is room again.
kernel = yes

+0    > S   0:0(0) win 1000                 accept SYN_SENT
+.01  < SA  0:0(0) ack 1 win 1000           accept SYN_RECV
+.01  > A   1:1(0) ack 1 win 1000           accept ESTABLISHED
+0    > PA  1:1001(1000) ack 1 win 1000     accept ESTABLISHED
+.01  < A   1:1(0) ack 1001 win 0           accept ESTABLISHED
+.2   > A   1001:1002(1) ack 1 win 1000     accept ESTABLISHED
+.01  < A   1:1(0) ack 1001 win 0           accept ESTABLISHED
+.4   > A   1001:1002(1) ack 1 win 1000     accept ESTABLISHED
+.01  < A   1:1(0) ack 1002 win 1000        accept ESTABLISHED
+0    > PA  1002:2002(1000) ack 1 win 1000  accept ESTABLISHED

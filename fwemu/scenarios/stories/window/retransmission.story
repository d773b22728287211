# A segment that was acknowledged already comes again: its ACK was lost behind us.
kernel = yes

+0    > S   0:0(0) win 5000            accept SYN_SENT
+.01  < SA  0:0(0) ack 1 win 5000      accept SYN_RECV
+.01  > A   1:1(0) ack 1 win 5000      accept ESTABLISHED
+0    > PA  1:101(100) ack 1 win 5000  accept ESTABLISHED
+.01  < A   1:1(0) ack 101 win 5000    accept ESTABLISHED
+.2   > PA  1:101(100) ack 1 win 5000  accept ESTABLISHED
+.01  < A   1:1(0) ack 101 win 5000    accept ESTABLISHED

# Nobody can acknowledge what was never sent: blind data dies here (RFC 5961 section 5).
kernel = yes

+0    > S   0:0(0) win 5000               accept SYN_SENT
+.01  < SA  0:0(0) ack 1 win 5000         accept SYN_RECV
+.01  > A   1:1(0) ack 1 win 5000         accept ESTABLISHED
+0    > A   1:101(100) ack 2000 win 5000  drop out_of_window ESTABLISHED
+0    > A   1:101(100) ack 1 win 5000     accept ESTABLISHED

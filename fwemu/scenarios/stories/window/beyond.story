# Data that the receiver has offered no room for is dropped.
kernel = yes

+0    > S   0:0(0) win 5000                accept SYN_SENT
+.01  < SA  0:0(0) ack 1 win 5000          accept SYN_RECV
+.01  > A   1:1(0) ack 1 win 5000          accept ESTABLISHED
+0    > A   1:1001(1000) ack 1 win 5000    accept ESTABLISHED
+0    > A   90001:90002(1) ack 1 win 5000  drop out_of_window ESTABLISHED

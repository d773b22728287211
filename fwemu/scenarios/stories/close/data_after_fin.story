# Data that its sender had on the way still passes after the other end's FIN; what is too far does not.
kernel = yes

+0    > S   0:0(0) win 5000                accept SYN_SENT
+.01  < SA  0:0(0) ack 1 win 5000          accept SYN_RECV
+.01  > A   1:1(0) ack 1 win 5000          accept ESTABLISHED
+0    > FA  1:1(0) ack 1 win 5000          accept FIN_WAIT
+.01  < A   1:1001(1000) ack 2 win 5000    accept CLOSE_WAIT
+0    < A   90001:90002(1) ack 2 win 5000  drop out_of_window CLOSE_WAIT

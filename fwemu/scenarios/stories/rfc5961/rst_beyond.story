# A RST from beyond the window is the guess of somebody who sees nothing.
kernel = yes

+0    > S   0:0(0) win 1000            accept SYN_SENT
+.01  < SA  0:0(0) ack 1 win 1000      accept SYN_RECV
+.01  > A   1:1(0) ack 1 win 1000      accept ESTABLISHED
+0    > PA  1:101(100) ack 1 win 1000  accept ESTABLISHED
+.01  < A   1:1(0) ack 101 win 1000    accept ESTABLISHED
+.01  > R   500000:500000(0)           drop out_of_window ESTABLISHED

# `tcp.window = liberal`: what lies outside passes, but a RST of the past is still refused.
kernel = yes
set tcp.window=liberal

+0    > S   0:0(0) win 1000                accept SYN_SENT
+.01  < SA  0:0(0) ack 1 win 1000          accept SYN_RECV
+.01  > A   1:1(0) ack 1 win 1000          accept ESTABLISHED
+0    > A   1:101(100) ack 1 win 1000      accept ESTABLISHED
+0    < A   1:1(0) ack 101 win 1000        accept ESTABLISHED
+0    > A   90001:90002(1) ack 1 win 1000  accept ESTABLISHED
+0    > A   101:102(1) ack 50000 win 1000  accept ESTABLISHED
+0    > R   50:50(0)                       drop out_of_window ESTABLISHED

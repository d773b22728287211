# Both ends scale: a window of 1,000 times 128 lets 128,000 octets pass (RFC 7323 section 2).
kernel = yes

+0    > S   0:0(0) win 1000 <wscale 7>          accept SYN_SENT
+.01  < SA  0:0(0) ack 1 win 1000 <wscale 7>    accept SYN_RECV
+.01  > A   1:1(0) ack 1 win 1000               accept ESTABLISHED
+0    < A   1:1(0) ack 1 win 1000               accept ESTABLISHED
+0    > A   120001:121001(1000) ack 1 win 1000  accept ESTABLISHED
+0    > A   400001:401001(1000) ack 1 win 1000  drop out_of_window ESTABLISHED

# `tcp.window = off`: any number is believed, that of a forged RST too.
set tcp.window=off

+0    > S   0:0(0) win 1000                      accept SYN_SENT
+.01  < SA  0:0(0) ack 1 win 1000                accept SYN_RECV
+.01  > A   1:1(0) ack 1 win 1000                accept ESTABLISHED
+0    > A   900001:900002(1) ack 70000 win 1000  accept ESTABLISHED
+0    > R   500000:500000(0)                     accept CLOSE

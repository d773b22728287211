# A router behind us has a smaller MTU: its error passes, and the segments get smaller (RFC 1191, 8201).
kernel = yes

+0    > S   0:0(0) <mss 1460>                           accept SYN_SENT
+.01  < SA  0:0(0) ack 1 <mss 1460>                     accept SYN_RECV
+.01  > A   1:1(0) ack 1                                accept ESTABLISHED
+0    > A   1:1401(1400) ack 1                          accept ESTABLISHED
+.01  < icmp too_big mtu 1280 [> A 1:1401(1400) ack 1]  accept related
+0    > A   1:1201(1200) ack 1                          accept ESTABLISHED

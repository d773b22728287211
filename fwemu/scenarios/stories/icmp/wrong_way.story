# An error about a packet that its own side has sent is forged.
kernel = yes

+0    > S   0:0(0)                           accept SYN_SENT
+.01  < SA  0:0(0) ack 1                     accept SYN_RECV
+.01  > A   1:1(0) ack 1                     accept ESTABLISHED
+0    < icmp unreachable [< A 1:1(0) ack 1]  drop unrelated_icmp
+0    > icmp unreachable [> A 1:1(0) ack 1]  drop unrelated_icmp

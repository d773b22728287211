# Errors are related from either side, each about what went the other way.
kernel = yes

+0    > S   0:0(0)                                 accept SYN_SENT
+.01  < SA  0:0(0) ack 1                           accept SYN_RECV
+.01  > A   1:1(0) ack 1                           accept ESTABLISHED
+0    < A   1:1001(1000) ack 1                     accept ESTABLISHED
+.01  > icmp unreachable [< A 1:1001(1000) ack 1]  accept related
+.01  < icmp time_exceeded [> A 1:1(0) ack 1]      accept related

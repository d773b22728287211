# Both ends open at once: four segments, one connection (RFC 9293 figure 7).
kernel = yes

+0    > S   0:0(0)        accept SYN_SENT
+0    < S   0:0(0)        accept SYN_SENT2
+.01  > SA  0:0(0) ack 1  accept SYN_RECV
+0    < SA  0:0(0) ack 1  accept ignored SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED
+0    < A   1:1(0) ack 1  accept ESTABLISHED

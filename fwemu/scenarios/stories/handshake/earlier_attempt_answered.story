# The SYN with the lower number was the one that counts: the answer to it tells.
kernel = yes

+0    > S   1000:1000(0)  accept SYN_SENT
+.01  > S   0:0(0)        accept ignored SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED

# Before any answer comes a SYN with a lower number: a late copy of an earlier attempt, or a new one.
kernel = yes

+0    > S   1000:1000(0)        accept SYN_SENT
+.01  > S   0:0(0)              accept ignored SYN_SENT
+.01  < SA  0:0(0) ack 1001     accept SYN_RECV
+.01  > A   1001:1001(0) ack 1  accept ESTABLISHED

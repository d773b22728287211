# The two bits of explicit congestion notification never matter (RFC 3168 6.1.1).
kernel = yes

+0    > SEC 0:0(0)            accept SYN_SENT
+.01  < SAE 0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+0    > PAC 1:101(100) ack 1  accept ESTABLISHED

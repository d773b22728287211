# The other end has reset it: whether a SYN is a new connection will its answer tell.
kernel = yes

+0    > S   0:0(0)                       accept SYN_SENT
+.01  < SA  0:0(0) ack 1                 accept SYN_RECV
+.01  > A   1:1(0) ack 1                 accept ESTABLISHED
+0    < R   1:1(0)                       accept CLOSE
+.1   > S   500000:500000(0)             accept ignored CLOSE
+.01  < SA  800000:800000(0) ack 500001  accept SYN_RECV
+.01  > A   500001:500001(0) ack 800001  accept ESTABLISHED

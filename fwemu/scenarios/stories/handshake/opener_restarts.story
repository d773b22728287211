# The opener dies after the SYN-ACK and opens anew from the same port: the second answer is followed.
kernel = yes

+0    > S   0:0(0)                       accept SYN_SENT
+.01  < SA  0:0(0) ack 1                 accept SYN_RECV
+.01  > S   500000:500000(0)             accept ignored SYN_RECV
+.01  < SA  800000:800000(0) ack 500001  accept SYN_RECV
+.01  > A   500001:500001(0) ack 800001  accept ESTABLISHED

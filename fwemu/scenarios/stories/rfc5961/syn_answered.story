# The server had lost the connection too and answers the SYN: both agree, and the firewall follows.
kernel = yes

+0    > S   0:0(0)                         accept SYN_SENT
+.01  < SA  0:0(0) ack 1                   accept SYN_RECV
+.01  > A   1:1(0) ack 1                   accept ESTABLISHED
+.01  > S   500000:500000(0)               accept ignored ESTABLISHED
+.01  < SA  800000:800000(0) ack 500001    accept SYN_RECV
+.01  > A   500001:500001(0) ack 800001    accept ESTABLISHED
+0    > PA  500001:500101(100) ack 800001  accept ESTABLISHED

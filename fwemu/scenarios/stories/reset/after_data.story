# A RST behind data that was not acknowledged yet: exact for the receiver, and so for us.
kernel = yes

+0    > S   0:0(0)            accept SYN_SENT
+.01  < SA  0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+0    > PA  1:101(100) ack 1  accept ESTABLISHED
+0    > RA  101:101(0) ack 1  accept CLOSE

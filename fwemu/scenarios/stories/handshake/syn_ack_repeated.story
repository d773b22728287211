# A server that did not get the last ACK repeats its SYN-ACK, also when data flows already.
kernel = yes

+0    > S   0:0(0)        accept SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.1   < SA  0:0(0) ack 1  accept ignored SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED
+.1   < SA  0:0(0) ack 1  accept ignored ESTABLISHED
+.01  > A   1:1(0) ack 1  accept ESTABLISHED

# A server's greeting may overtake the last ACK of the handshake.
kernel = yes

+0    > S   0:0(0)          accept SYN_SENT
+.01  < SA  0:0(0) ack 1    accept SYN_RECV
+0    < PA  1:51(50) ack 1  accept SYN_RECV
+.01  > A   1:1(0) ack 1    accept ESTABLISHED
+0    > A   1:1(0) ack 51   accept ESTABLISHED

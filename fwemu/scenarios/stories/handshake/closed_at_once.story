# An end may close before the handshake is over: the opener with its first ACK, the server before it.
kernel = yes

+0    >  S   0:0(0)        accept SYN_SENT
+.01  <  SA  0:0(0) ack 1  accept SYN_RECV
+.01  >  FA  1:1(0) ack 1  accept FIN_WAIT
+0    >2 S   0:0(0)        accept SYN_SENT
+.01  <2 SA  0:0(0) ack 1  accept SYN_RECV
+.01  <2 FA  1:1(0) ack 1  accept FIN_WAIT

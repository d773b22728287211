# Either end resets before the handshake is over.
kernel = yes

+0    >  S   0:0(0)        accept SYN_SENT
+.01  <  SA  0:0(0) ack 1  accept SYN_RECV
+.01  >  R   1:1(0)        accept CLOSE
+0    >2 S   0:0(0)        accept SYN_SENT
+.01  <2 SA  0:0(0) ack 1  accept SYN_RECV
+.01  <2 RA  1:1(0) ack 1  accept CLOSE

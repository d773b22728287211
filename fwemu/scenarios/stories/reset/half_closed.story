# RSTs from either end after the first FIN was acknowledged.
kernel = yes

+0    >  S   0:0(0)        accept SYN_SENT
+.01  <  SA  0:0(0) ack 1  accept SYN_RECV
+.01  >  A   1:1(0) ack 1  accept ESTABLISHED
+0    >  FA  1:1(0) ack 1  accept FIN_WAIT
+.01  <  A   1:1(0) ack 2  accept CLOSE_WAIT
+.01  >  R   2:2(0)        accept CLOSE
+0    >2 S   0:0(0)        accept SYN_SENT
+.01  <2 SA  0:0(0) ack 1  accept SYN_RECV
+.01  >2 A   1:1(0) ack 1  accept ESTABLISHED
+0    >2 FA  1:1(0) ack 1  accept FIN_WAIT
+.01  <2 A   1:1(0) ack 2  accept CLOSE_WAIT
+.01  <2 R   1:1(0)        accept CLOSE

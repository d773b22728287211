# RSTs from either end when both have closed, and after that.
kernel = yes

+0    >  S   0:0(0)        accept SYN_SENT
+.01  <  SA  0:0(0) ack 1  accept SYN_RECV
+.01  >  A   1:1(0) ack 1  accept ESTABLISHED
+0    >  FA  1:1(0) ack 1  accept FIN_WAIT
+.01  <  FA  1:1(0) ack 2  accept LAST_ACK
+.01  >  R   2:2(0)        accept CLOSE
+0    >2 S   0:0(0)        accept SYN_SENT
+.01  <2 SA  0:0(0) ack 1  accept SYN_RECV
+.01  >2 A   1:1(0) ack 1  accept ESTABLISHED
+0    >2 FA  1:1(0) ack 1  accept FIN_WAIT
+.01  <2 FA  1:1(0) ack 2  accept LAST_ACK
+.01  <2 R   2:2(0)        accept CLOSE
+0    >3 S   0:0(0)        accept SYN_SENT
+.01  <3 SA  0:0(0) ack 1  accept SYN_RECV
+.01  >3 A   1:1(0) ack 1  accept ESTABLISHED
+0    >3 FA  1:1(0) ack 1  accept FIN_WAIT
+.01  <3 FA  1:1(0) ack 2  accept LAST_ACK
+.01  >3 A   2:2(0) ack 2  accept TIME_WAIT
+.01  >3 R   2:2(0)        accept CLOSE
+0    >4 S   0:0(0)        accept SYN_SENT
+.01  <4 SA  0:0(0) ack 1  accept SYN_RECV
+.01  >4 A   1:1(0) ack 1  accept ESTABLISHED
+0    >4 FA  1:1(0) ack 1  accept FIN_WAIT
+.01  <4 FA  1:1(0) ack 2  accept LAST_ACK
+.01  >4 A   2:2(0) ack 2  accept TIME_WAIT
+.01  <4 R   2:2(0)        accept CLOSE

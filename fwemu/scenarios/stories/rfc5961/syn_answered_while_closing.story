# The same while the old connection closes, at whatever point: both ends agree on the new one.
kernel = yes

+0    >  S   0:0(0)                       accept SYN_SENT
+.01  <  SA  0:0(0) ack 1                 accept SYN_RECV
+.01  >  A   1:1(0) ack 1                 accept ESTABLISHED
+0    >  FA  1:1(0) ack 1                 accept FIN_WAIT
+.01  >  S   500000:500000(0)             accept ignored FIN_WAIT
+.01  <  SA  800000:800000(0) ack 500001  accept SYN_RECV
+0    >2 S   0:0(0)                       accept SYN_SENT
+.01  <2 SA  0:0(0) ack 1                 accept SYN_RECV
+.01  >2 A   1:1(0) ack 1                 accept ESTABLISHED
+0    >2 FA  1:1(0) ack 1                 accept FIN_WAIT
+0    <2 A   1:1(0) ack 2                 accept CLOSE_WAIT
+.01  >2 S   500000:500000(0)             accept ignored CLOSE_WAIT
+.01  <2 SA  800000:800000(0) ack 500001  accept SYN_RECV
+0    >3 S   0:0(0)                       accept SYN_SENT
+.01  <3 SA  0:0(0) ack 1                 accept SYN_RECV
+.01  >3 A   1:1(0) ack 1                 accept ESTABLISHED
+0    >3 FA  1:1(0) ack 1                 accept FIN_WAIT
+0    <3 FA  1:1(0) ack 2                 accept LAST_ACK
+.01  >3 S   500000:500000(0)             accept ignored LAST_ACK
+.01  <3 SA  800000:800000(0) ack 500001  accept SYN_RECV
+.01  >3 A   500001:500001(0) ack 800001  accept ESTABLISHED

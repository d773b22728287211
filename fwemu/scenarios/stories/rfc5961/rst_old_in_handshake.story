# Once an end has acknowledged something, a RST below that is refused, in the handshake too.
kernel = yes

+0    >  S   0:0(0)        accept SYN_SENT
+.01  <  SA  0:0(0) ack 1  accept SYN_RECV
+.01  >  R   -100:-100(0)  drop out_of_window SYN_RECV
+.01  >  A   1:1(0) ack 1  accept ESTABLISHED
+0    >2 S   0:0(0)        accept SYN_SENT
+0    <2 S   0:0(0)        accept SYN_SENT2
+.01  >2 SA  0:0(0) ack 1  accept SYN_RECV
+.01  <2 R   -100:-100(0)  drop out_of_window SYN_RECV

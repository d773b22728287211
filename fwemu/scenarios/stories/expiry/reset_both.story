# Both ends get a RST that they believe: each with exactly the number it expects (RFC 5961 3.2).
set expiry.action=reset-both

+0    >  S   0:0(0)                accept SYN_SENT
+.01  <  SA  0:0(0) ack 1          accept SYN_RECV
+.01  >  A   1:1(0) ack 1          accept ESTABLISHED
+0    >  PA  1:101(100) ack 1      accept ESTABLISHED
+.01  <  PA  1:1001(1000) ack 101  accept ESTABLISHED
+.01  >  A   101:101(0) ack 1001   accept ESTABLISHED
+1h
      !< RA  1001:1001(0) ack 101
      !> RA  101:101(0) ack 1001
      end expired ESTABLISHED

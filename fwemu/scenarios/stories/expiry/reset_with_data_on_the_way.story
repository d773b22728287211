# Data that nobody acknowledged: each RST has what its receiver said that it expects, not what was sent.
set expiry.action=reset-both

+0    >  S   0:0(0)            accept SYN_SENT
+.01  <  SA  0:0(0) ack 1      accept SYN_RECV
+.01  >  A   1:1(0) ack 1      accept ESTABLISHED
+0    >  PA  1:101(100) ack 1  accept ESTABLISHED
+1h
      !< RA  1:1(0) ack 101
      !> RA  1:1(0) ack 1
      end expired ESTABLISHED

# With its TCP reset both ends get a RST at the moment of expiry, with numbers that they believe.
profile = azure-load-balancer
set expiry.action=reset-both

+0    >  S   0:0(0)        accept SYN_SENT
+.01  <  SA  0:0(0) ack 1  accept SYN_RECV
+.01  >  A   1:1(0) ack 1  accept ESTABLISHED
+4m
      !< RA  1:1(0) ack 1
      !> RA  1:1(0) ack 1
      end expired ESTABLISHED

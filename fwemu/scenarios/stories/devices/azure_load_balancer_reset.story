# With its TCP reset both ends get a RST at the moment of expiry, with numbers that they believe.
profile = azure-load-balancer-reset

+0    >  S   0:0(0)            accept SYN_SENT
+.01  <  SA  0:0(0) ack 1      accept SYN_RECV
+.01  >  A   1:1(0) ack 1      accept ESTABLISHED
+0    >  PA  1:101(100) ack 1  accept ESTABLISHED
+.01  <  A   1:1(0) ack 101    accept ESTABLISHED
+4m
      !< RA  1:1(0) ack 101
      !> RA  101:101(0) ack 1
      end expired ESTABLISHED

# Two connections, two timers: each is reset at its own moment.
set expiry.action=reset-original

+0   >   S   0:0(0)        accept SYN_SENT
+.1  <   SA  0:0(0) ack 1  accept SYN_RECV
+.1  >   A   1:1(0) ack 1  accept ESTABLISHED
+10  >2  S   0:0(0)        accept SYN_SENT
+.1  <2  SA  0:0(0) ack 1  accept SYN_RECV
+.1  >2  A   1:1(0) ack 1  accept ESTABLISHED
+3589.799999999
+1ns
     !<  RA  1:1(0) ack 1
     end expired ESTABLISHED
+10.199999999
+1ns
     !<2 RA  1:1(0) ack 1
     end expired ESTABLISHED 2

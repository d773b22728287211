# An established connection that was evicted: its end is as silent as its next packet is unknown.
set table.capacity=1
set unknown.inside=reset

+0    >  S   0:0(0)            accept SYN_SENT
+.01  <  SA  0:0(0) ack 1      accept SYN_RECV
+.01  >  A   1:1(0) ack 1      accept ESTABLISHED
+1    >2 S   0:0(0)            accept opened SYN_SENT
      end evicted ESTABLISHED
+0    >  PA  1:101(100) ack 1  drop unknown_packet NONE
      !< R   1:1(0)

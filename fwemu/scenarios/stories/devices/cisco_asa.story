# After an hour an inside sender is told by a RST; an outside sender speaks into the void.
profile = cisco-asa

+0    >  S   0:0(0)            accept SYN_SENT
+.01  <  SA  0:0(0) ack 1      accept SYN_RECV
+.01  >  A   1:1(0) ack 1      accept ESTABLISHED
+1h
      end expired ESTABLISHED
+0    <  PA  1:101(100) ack 1  drop unknown_packet NONE
+0    >  PA  1:101(100) ack 1  drop unknown_packet NONE
      !< R   1:1(0)

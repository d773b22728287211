# The inside is told by a RST where the outside hears nothing; the number is the one acknowledged.
set unknown.inside=reset

+0   >  PA  1:101(100) ack 1    drop unknown_packet NONE
     !< R   1:1(0)
+0   >  A   101:101(0) ack 777  drop unknown_packet NONE
     !< R   777:777(0)
+0   <  PA  1:101(100) ack 1    drop unknown_packet NONE

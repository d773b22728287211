# The outside is told.
set unknown.outside=reset

+0   <  PA  1:101(100) ack 1  drop unknown_packet NONE
     !> R   1:1(0)
+0   <  FA  101:101(0) ack 5  drop unknown_packet NONE
     !> R   5:5(0)
+0   >  PA  1:101(100) ack 1  drop unknown_packet NONE

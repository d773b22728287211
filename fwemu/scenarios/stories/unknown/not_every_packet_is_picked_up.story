# Only an ACK shows a connection: a FIN, a RST or a SYN-ACK picks up nothing.
kernel = yes
set unknown.inside=pick-up

+0   > FA  1:1(0) ack 1  drop unknown_packet NONE
+0   > R   1:1(0)        drop unknown_packet NONE
+0   > SA  0:0(0) ack 1  drop unknown_packet NONE

# A RST is never answered by a RST, or two firewalls would never stop.
set unknown.inside=reset
set unknown.outside=reset

+0   > R   1:1(0)        drop unknown_packet NONE
+0   < RA  1:1(0) ack 1  drop unknown_packet NONE

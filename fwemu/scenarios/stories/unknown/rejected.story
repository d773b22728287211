# An ICMP error in the firewall's name says that it is prohibited.
set unknown.inside=reject

+0   >  A   1:1(0) ack 1  drop unknown_packet NONE
     !< icmp prohibited [> A 1:1(0) ack 1]
+0   <  A   1:1(0) ack 1  drop unknown_packet NONE

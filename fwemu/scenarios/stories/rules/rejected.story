# A rule that rejects answers with an ICMP error in the firewall's name.
set rules=[{action="reject", from="inside"}]

+0   >  S   0:0(0)         drop rejected NONE
     !< icmp prohibited [> S 0:0(0)]
+0   >  udp (10)           drop rejected NONE
     !< icmp prohibited [> udp (10)]
+0   >  icmp echo_request  drop rejected NONE
     !< icmp prohibited [> icmp echo_request]

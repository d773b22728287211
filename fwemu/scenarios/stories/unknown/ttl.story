# The TTL of the firewall's own packets is a setting: it gives a box in the middle away.
set unknown.inside=reset
set injected.ttl=255

+0   >  A   1:1(0) ack 1  drop unknown_packet NONE
     !< R   1:1(0) ttl 255

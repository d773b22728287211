# Nobody listens: the ICMP error about the datagram finds its way back.
kernel = yes

+0    > udp (100)                            accept opened UDP_UNREPLIED
+.01  < icmp port_unreachable [> udp (100)]  accept related

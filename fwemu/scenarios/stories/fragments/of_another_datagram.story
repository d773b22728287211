# A later fragment with another identification is of a datagram that was never begun.
+0   > udp (2000) frag 0:1480          accept opened UDP_UNREPLIED
+0   > udp (2000) frag 1480:2008 id 2  drop unknown_fragment

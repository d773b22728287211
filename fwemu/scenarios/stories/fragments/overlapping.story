# Fragments that overlap rewrite each other at some receivers: the datagram ends there (RFC 5722).
+0   > udp (3000) frag 0:1480     accept opened UDP_UNREPLIED
+0   > udp (3000) frag 1472:2960  drop overlapping_fragment
+0   > udp (3000) frag 1480:3008  drop overlapping_fragment

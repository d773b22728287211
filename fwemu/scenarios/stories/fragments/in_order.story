# A datagram in three fragments: the first is judged by its ports, the others follow it.
+0   > udp (3000) frag 0:1480     accept opened UDP_UNREPLIED
+0   > udp (3000) frag 1480:2960  accept fragment
+0   > udp (3000) frag 2960:3008  accept fragment

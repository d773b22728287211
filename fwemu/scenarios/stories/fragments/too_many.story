# A datagram in more parts than have room is refused as a whole from there on.
set fragments.per_datagram=2

+0   > udp (4000) frag 0:1480     accept opened UDP_UNREPLIED
+0   > udp (4000) frag 1480:2960  accept fragment
+0   > udp (4000) frag 2960:4008  drop too_many_fragments

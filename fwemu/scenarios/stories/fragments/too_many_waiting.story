# Only so many fragments wait for their first one: the next is refused, and so is its datagram.
set fragments.held=1

+0   > udp (2000) frag 1480:2008 id 1  hold
+0   > udp (2000) frag 1480:2008 id 2  drop too_many_fragments
+0   > udp (2000) frag 0:1480 id 1     accept opened UDP_UNREPLIED
     release > udp (2000) frag 1480:2008 id 1 accept fragment

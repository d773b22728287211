# As long as Linux waits for the rest of a datagram, 30 s, the rest may pass; then it begins nothing.
+0             > udp (2000) frag 0:1480     accept opened UDP_UNREPLIED
+29.999999999  > udp (2000) frag 1480:2008  accept fragment
+1ns
               end expired UDP_UNREPLIED
+0             > udp (2000) frag 1480:2008  hold
+30
               release > udp (2000) frag 1480:2008 drop fragment_timeout

# A fragment with another identification waits for the beginning of its own datagram.
+0   > udp (2000) frag 0:1480          accept opened UDP_UNREPLIED
+0   > udp (2000) frag 1480:2008 id 2  hold
+0   > udp (2000) frag 0:1480 id 2     accept UDP_UNREPLIED
     release > udp (2000) frag 1480:2008 id 2 accept fragment

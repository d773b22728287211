# The last fragment overtakes the others: it waits for the first one, and then goes after it.
+0    > udp (3000) frag 2960:3008  hold
+.01  > udp (3000) frag 1480:2960  hold
+.01  > udp (3000) frag 0:1480     accept opened UDP_UNREPLIED
      release > udp (3000) frag 2960:3008 accept fragment
      release > udp (3000) frag 1480:2960 accept fragment

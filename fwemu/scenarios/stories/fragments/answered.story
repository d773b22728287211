# Fragments of an answer belong to its session as the question's do.
+0    > udp (100)                  accept opened UDP_UNREPLIED
+.01  < udp (3000) frag 0:1480     accept UDP_REPLIED
+0    < udp (3000) frag 1480:3008  accept fragment

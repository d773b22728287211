# The net doubles a fragment: exactly the same once more is no attack.
+0   > udp (2000) frag 0:1480     accept opened UDP_UNREPLIED
+0   > udp (2000) frag 1480:2008  accept fragment
+0   > udp (2000) frag 1480:2008  accept fragment

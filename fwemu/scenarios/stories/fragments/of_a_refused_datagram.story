# The first fragment was refused, and so are all others.
+0   < udp (2000) frag 0:1480     drop denied NONE
+0   < udp (2000) frag 1480:2008  drop unknown_fragment

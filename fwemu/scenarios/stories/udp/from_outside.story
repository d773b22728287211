# An unasked datagram from outside opens nothing.
+0   < udp (100)  drop denied NONE

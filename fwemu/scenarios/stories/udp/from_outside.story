# An unasked datagram from outside opens nothing.
kernel = yes

+0   < udp (100)  drop denied NONE

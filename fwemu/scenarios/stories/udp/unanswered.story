# A datagram that nobody answers is remembered for 30 s.
+0   > udp (100)  accept opened UDP_UNREPLIED
+29.999999999
+1ns
     end expired UDP_UNREPLIED
+0   < udp (100)  drop denied NONE

# An answer makes it a conversation: two minutes, and each datagram of either end starts them anew.
+0    > udp (100)  accept opened UDP_UNREPLIED
+.01  < udp (400)  accept UDP_REPLIED
+119  < udp (400)  accept UDP_REPLIED
+119  > udp (100)  accept UDP_REPLIED
+119.999999999
+1ns
      end expired UDP_REPLIED

# An error about a session does not prolong it.
+0   > udp (100)                       accept opened UDP_UNREPLIED
+29  < icmp unreachable [> udp (100)]  accept related
+1
     end expired UDP_UNREPLIED

# An error about a session that is not, or is no more, is dropped from either side.
kernel = yes

+0   < icmp unreachable [> udp (100)]  drop unrelated_icmp
+0   > udp (100)                       accept opened UDP_UNREPLIED
+30
     end expired UDP_UNREPLIED
+0   < icmp unreachable [> udp (100)]  drop unrelated_icmp
+0   > icmp unreachable [< udp (100)]  drop unrelated_icmp

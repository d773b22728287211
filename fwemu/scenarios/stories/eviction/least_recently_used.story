# A full table forgets who was quiet for longest, silently; it is found out by its next packet.
set table.capacity=2
set expiry.action=reset-both

+0   >  udp (100)  accept opened UDP_UNREPLIED
+1   >2 udp (100)  accept opened UDP_UNREPLIED
+1   >  udp (100)  accept UDP_UNREPLIED
+1   >3 udp (100)  accept opened UDP_UNREPLIED
     end evicted UDP_UNREPLIED 2
+0   <2 udp (100)  drop denied NONE
+0   <  udp (100)  accept UDP_REPLIED

# Anybody may have to go; by which seed is a setting, so that a test can be repeated.
set table.capacity=2
set table.when_full=evict-random
set table.seed=1

+0   >  udp (100)  accept opened UDP_UNREPLIED
+0   >2 udp (100)  accept opened UDP_UNREPLIED
+0   >3 udp (100)  accept opened UDP_UNREPLIED
     end evicted UDP_UNREPLIED

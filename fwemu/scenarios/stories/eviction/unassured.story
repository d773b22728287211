# Only who has no answer yet must go (early drop of Linux); a table of answered ones refuses.
set table.capacity=2
set table.when_full=evict-unassured

+0    >  udp (100)  accept opened UDP_UNREPLIED
+.01  <  udp (100)  accept UDP_REPLIED
+1    >2 udp (100)  accept opened UDP_UNREPLIED
+1    >3 udp (100)  accept opened UDP_UNREPLIED
      end evicted UDP_UNREPLIED 2
+.01  <3 udp (100)  accept UDP_REPLIED
+1    >4 udp (100)  drop table_full NONE

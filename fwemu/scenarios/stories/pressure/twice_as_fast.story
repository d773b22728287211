# From 80 % on sessions age twice as fast (PAN-OS): an hour is half an hour.
set table.capacity=5
set pressure.policy=accelerate

+0       >  S   0:0(0)        accept SYN_SENT
+0       <  SA  0:0(0) ack 1  accept SYN_RECV
+0       >  A   1:1(0) ack 1  accept ESTABLISHED
+29m50s  >2 udp (10)          accept opened UDP_UNREPLIED
+0       >3 udp (10)          accept opened UDP_UNREPLIED
+0       >4 udp (10)          accept opened UDP_UNREPLIED
+9
+1
         end expired ESTABLISHED 1

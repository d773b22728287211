# Between two watermarks everybody's timer is cut to 20 s (Junos): who was quiet for longer goes at once.
set table.capacity=5
set pressure.policy=early-ageout
set pressure.start=80
set pressure.stop=60

+0   >  S   0:0(0)        accept SYN_SENT
+0   <  SA  0:0(0) ack 1  accept SYN_RECV
+0   >  A   1:1(0) ack 1  accept ESTABLISHED
+1m  >2 udp (10)          accept opened UDP_UNREPLIED
+0   >3 udp (10)          accept opened UDP_UNREPLIED
+0   >4 udp (10)          accept opened UDP_UNREPLIED
     end expired ESTABLISHED 1
+20
     end expired UDP_UNREPLIED 2
+10
     end expired UDP_UNREPLIED 3
     end expired UDP_UNREPLIED 4

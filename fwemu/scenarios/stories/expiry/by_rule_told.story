# One rule resets what expires, the other is silent: as boxes do between pairs of zones.
set rules=[{action="allow", proto="tcp", source_ports=[40001], expiry="reset-both"}]

+0   >  S   0:0(0)        accept SYN_SENT
+0   <  SA  0:0(0) ack 1  accept SYN_RECV
+0   >  A   1:1(0) ack 1  accept ESTABLISHED
+0   >2 S   0:0(0)        accept SYN_SENT
+0   <2 SA  0:0(0) ack 1  accept SYN_RECV
+0   >2 A   1:1(0) ack 1  accept ESTABLISHED
+1h
     !< RA  1:1(0) ack 1
     !> RA  1:1(0) ack 1
     end expired ESTABLISHED 1
     end expired ESTABLISHED 2

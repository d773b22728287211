# A rule that denies is silent; what it does not name passes.
set rules=[{action="deny", proto="tcp", ports=[80]}]

+0   > S   0:0(0)  drop denied NONE
+0   > udp (100)   accept opened UDP_UNREPLIED

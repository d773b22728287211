# Rules are asked when a session begins; its answers need no rule of their own.
set rules=[{action="allow", from="inside", proto="tcp"}]
set default_action.inside=deny

+0    > S   0:0(0)        accept opened SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED
+0    > udp (100)         drop denied NONE

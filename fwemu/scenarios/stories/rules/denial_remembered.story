# A denial is remembered for 90 s (PAN-OS): what comes after is discarded unasked, from either side.
set default_action.inside=deny
set timeouts.tcp_discard=90s

+0   > S   0:0(0)        drop denied TCP_DISCARD
+1   > S   0:0(0)        drop discarded TCP_DISCARD
+1   < SA  0:0(0) ack 1  drop discarded TCP_DISCARD
+88
     end expired TCP_DISCARD

# How long a fragment waits for its first one is a setting.
set fragments.timeout=5s

+0   > udp (2000) frag 1480:2008  hold
+4.999999999
+1ns
     release > udp (2000) frag 1480:2008 drop fragment_timeout

# A fragment whose first one never comes waits for 30 s and is dropped; nothing is said.
+0   > udp (2000) frag 1480:2008  hold
+29.999999999
+1ns
     release > udp (2000) frag 1480:2008 drop fragment_timeout

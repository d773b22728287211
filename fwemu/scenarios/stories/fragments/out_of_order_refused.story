# What has waited for a first fragment that is refused goes nowhere either.
+0    < udp (2000) frag 1480:2008  hold
+.01  < udp (2000) frag 0:1480     drop denied NONE
      release < udp (2000) frag 1480:2008 drop unknown_fragment

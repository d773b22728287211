# A first fragment too short for its TCP header hides the flags from the firewall (RFC 1858, RFC 3128).
+0   > S   0:100(100) frag 0:16    drop overlapping_fragment
+0   > S   0:100(100) frag 16:120  drop overlapping_fragment

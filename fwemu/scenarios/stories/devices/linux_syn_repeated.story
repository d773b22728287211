# A SYN that is repeated for ever does not renew its entry: it has 120 s from the first one.
profile = linux-conntrack
kernel = yes
ip = 4

+0    > S   0:0(0)   accept SYN_SENT
+30   > S   0:0(0)   accept SYN_SENT
+30   > S   0:0(0)   accept SYN_SENT
+30   > S   0:0(0)   accept SYN_SENT
+28   > S   0:0(0)   accept SYN_SENT
+2
      end expired SYN_SENT
+.5   > S   0:0(0)   accept opened SYN_SENT

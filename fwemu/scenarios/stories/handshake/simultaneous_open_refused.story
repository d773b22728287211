# The other end of a simultaneous open gives up.
kernel = yes

+0    > S   0:0(0)  accept SYN_SENT
+0    < S   0:0(0)  accept SYN_SENT2
+.01  < R   1:1(0)  accept CLOSE

# Combinations of flags that no endpoint sends are dropped before anything is looked up.
kernel = yes

+0   > SF  0:0(0)        drop bad_flags NONE
+0   > SR  0:0(0)        drop bad_flags NONE
+0   > -   0:0(0)        drop bad_flags NONE
+0   > FPU 0:0(0)        drop bad_flags NONE
+0   > F   0:0(0)        drop bad_flags NONE
+0   < SFA 0:0(0) ack 1  drop bad_flags NONE

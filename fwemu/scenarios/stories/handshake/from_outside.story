# Who is outside opens nothing, unless a rule says so.
kernel = yes

+0   < S   0:0(0)  drop denied NONE
+1   < S   0:0(0)  drop denied NONE

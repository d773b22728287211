# A router keeps nothing: `established` looks at flags alone, and no hour of quiet matters.
profile = router-acl

+0    > S   0:0(0)            accept permitted NONE
+.01  < SA  0:0(0) ack 1      accept permitted NONE
+.01  > A   1:1(0) ack 1      accept permitted NONE
+5h   < PA  1:101(100) ack 1  accept permitted NONE
+0    < S   0:0(0)            drop denied NONE

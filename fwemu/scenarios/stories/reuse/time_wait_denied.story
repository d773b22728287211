# The former server opens where no rule allows it: refused, and the old connection stays what it was.
+0    > S   0:0(0)            accept SYN_SENT
+.01  < SA  0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+0    > FA  1:1(0) ack 1      accept FIN_WAIT
+.01  < FA  1:1(0) ack 2      accept LAST_ACK
+.01  > A   2:2(0) ack 2      accept TIME_WAIT
+1    < S   800000:800000(0)  drop denied TIME_WAIT

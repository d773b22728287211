# After a close the former server opens, where a rule allows that: the roles are exchanged.
set default_action.outside=allow

+0    > S   0:0(0)                       accept SYN_SENT
+.01  < SA  0:0(0) ack 1                 accept SYN_RECV
+.01  > A   1:1(0) ack 1                 accept ESTABLISHED
+0    > FA  1:1(0) ack 1                 accept FIN_WAIT
+.01  < FA  1:1(0) ack 2                 accept LAST_ACK
+.01  > A   2:2(0) ack 2                 accept TIME_WAIT
+1    < S   800000:800000(0)             accept opened SYN_SENT
      end reused TIME_WAIT
+.01  > SA  500000:500000(0) ack 800001  accept SYN_RECV
+.01  < A   800001:800001(0) ack 500001  accept ESTABLISHED

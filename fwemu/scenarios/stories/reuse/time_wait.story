# A client opens again from the same port while the old connection waits: nothing keeps it out.
kernel = yes

+0    > S   0:0(0)                       accept SYN_SENT
+.01  < SA  0:0(0) ack 1                 accept SYN_RECV
+.01  > A   1:1(0) ack 1                 accept ESTABLISHED
+0    > FA  1:1(0) ack 1                 accept FIN_WAIT
+.01  < FA  1:1(0) ack 2                 accept LAST_ACK
+.01  > A   2:2(0) ack 2                 accept TIME_WAIT
+.5   > S   500000:500000(0)             accept opened SYN_SENT
      end reused TIME_WAIT
+.01  < SA  800000:800000(0) ack 500001  accept SYN_RECV
+.01  > A   500001:500001(0) ack 800001  accept ESTABLISHED

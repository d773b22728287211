# A TCP segment in fragments moves its session as a whole one would.
+0    > S   0:0(0)                             accept SYN_SENT
+.01  < SA  0:0(0) ack 1                       accept SYN_RECV
+.01  > A   1:1(0) ack 1                       accept ESTABLISHED
+0    > PA  1:2001(2000) ack 1 frag 0:1480     accept ESTABLISHED
+0    > PA  1:2001(2000) ack 1 frag 1480:2020  accept fragment
+.01  < A   1:1(0) ack 2001                    accept ESTABLISHED

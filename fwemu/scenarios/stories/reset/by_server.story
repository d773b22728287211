# A server that crashes resets the request that it cannot place: by the number the request acknowledges.
kernel = yes

+0    > S   0:0(0)            accept SYN_SENT
+.01  < SA  0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+0    > PA  1:101(100) ack 1  accept ESTABLISHED
+.01  < R   1:1(0)            accept CLOSE

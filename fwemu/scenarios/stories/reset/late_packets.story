# What was on the way when a RST ended it all still passes for ten seconds; SYN-ACKs move nothing.
kernel = yes

+0    > S   0:0(0)            accept SYN_SENT
+.01  < SA  0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+0    > R   1:1(0)            accept CLOSE
+.01  < PA  1:101(100) ack 1  accept CLOSE
+0    < FA  101:101(0) ack 1  accept CLOSE
+.01  > A   1:1(0) ack 102    accept CLOSE
+0    > FA  1:1(0) ack 102    accept CLOSE
+0    > R   1:1(0)            accept CLOSE
+0    < R   102:102(0)        accept CLOSE
+0    > SA  0:0(0) ack 1      drop invalid_state CLOSE
+0    < SA  0:0(0) ack 1      accept ignored CLOSE
+0    < S   0:0(0)            drop invalid_state CLOSE

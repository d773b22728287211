# A keepalive probe of either end has no octet or one; each of them and each answer starts the hour anew.
+0    > S   0:0(0)            accept SYN_SENT
+.01  < SA  0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+0    > PA  1:101(100) ack 1  accept ESTABLISHED
+.01  < A   1:1(0) ack 101    accept ESTABLISHED
+59m  > A   100:100(0) ack 1  accept ESTABLISHED
+.01  < A   1:1(0) ack 101    accept ESTABLISHED
+59m  > A   100:101(1) ack 1  accept ESTABLISHED
+.01  < A   1:1(0) ack 101    accept ESTABLISHED
+59m  < A   0:0(0) ack 101    accept ESTABLISHED
+.01  > A   101:101(0) ack 1  accept ESTABLISHED
+3599.999999999
+1ns
      end expired ESTABLISHED

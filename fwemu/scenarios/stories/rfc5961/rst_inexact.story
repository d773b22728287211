# A RST in the window but not on the number expected passes: the receiver will challenge it (3.2).
kernel = yes

+0    > S   0:0(0)            accept SYN_SENT
+.01  < SA  0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+0    > PA  1:101(100) ack 1  accept ESTABLISHED
+.01  < A   1:1(0) ack 101    accept ESTABLISHED
+.01  > R   301:301(0)        accept ESTABLISHED
+.01  < A   1:1(0) ack 101    accept ESTABLISHED
+.01  > R   101:101(0)        accept CLOSE

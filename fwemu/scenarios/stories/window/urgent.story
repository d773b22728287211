# Urgent data and its pointer pass; nothing about the window changes.
kernel = yes

+0    > S   0:0(0)                    accept SYN_SENT
+.01  < SA  0:0(0) ack 1              accept SYN_RECV
+.01  > A   1:1(0) ack 1              accept ESTABLISHED
+0    > PAU 1:101(100) ack 1 urg 100  accept ESTABLISHED
+.01  < A   1:1(0) ack 101            accept ESTABLISHED
+0    > FAU 101:102(1) ack 1 urg 1    accept FIN_WAIT

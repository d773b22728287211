# The client has given up and tries again from the same port with a higher number: that one counts.
kernel = yes

+0    > S   0:0(0)              accept SYN_SENT
+.01  > S   5000:5000(0)        accept SYN_SENT
+.01  < SA  0:0(0) ack 5001     accept SYN_RECV
+.01  > A   5001:5001(0) ack 1  accept ESTABLISHED

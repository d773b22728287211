# A client repeats its SYN after 1, 3 and 7 s; each repetition starts the timer again.
+0     > S   0:0(0)        accept SYN_SENT
+1     > S   0:0(0)        accept SYN_SENT
+2     > S   0:0(0)        accept SYN_SENT
+4     > S   0:0(0)        accept SYN_SENT
+29.9  < SA  0:0(0) ack 1  accept SYN_RECV

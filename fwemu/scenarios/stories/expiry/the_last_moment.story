# A packet one nanosecond before the hour is in time; the next hour begins with it.
+0               > S   0:0(0)            accept SYN_SENT
+.01             < SA  0:0(0) ack 1      accept SYN_RECV
+.01             > A   1:1(0) ack 1      accept ESTABLISHED
+3599.999999999  > PA  1:101(100) ack 1  accept ESTABLISHED
+3599.999999999  < A   1:1(0) ack 101    accept ESTABLISHED
+1h
                 end expired ESTABLISHED

# A box that does not count keepalives: probes and their answers pass, and the hour runs on.
set refresh.keepalives=false

+0    > S   0:0(0)            accept SYN_SENT
+0    < SA  0:0(0) ack 1      accept SYN_RECV
+0    > A   1:1(0) ack 1      accept ESTABLISHED
+0    > PA  1:101(100) ack 1  accept ESTABLISHED
+0    < A   1:1(0) ack 101    accept ESTABLISHED
+30m  > A   100:100(0) ack 1  accept ESTABLISHED
+0    < A   1:1(0) ack 101    accept ESTABLISHED
+30m
      end expired ESTABLISHED

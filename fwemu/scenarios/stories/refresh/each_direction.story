# Each direction has a timer of its own, and the first that runs out ends the session.
set refresh.tcp=each

+0    > S   0:0(0)              accept SYN_SENT
+0    < SA  0:0(0) ack 1        accept SYN_RECV
+0    > A   1:1(0) ack 1        accept ESTABLISHED
+30m  > PA  1:101(100) ack 1    accept ESTABLISHED
+10m  < PA  1:101(100) ack 101  accept ESTABLISHED
+49m59.999999999s
+1ns
      end expired ESTABLISHED

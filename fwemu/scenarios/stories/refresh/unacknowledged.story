# Data that nobody acknowledges shortens the timer to five minutes (Linux); its ACK gives the hour back.
set timeouts.tcp_unacknowledged=5m

+0    > S   0:0(0)              accept SYN_SENT
+0    < SA  0:0(0) ack 1        accept SYN_RECV
+0    > A   1:1(0) ack 1        accept ESTABLISHED
+0    > PA  1:101(100) ack 1    accept ESTABLISHED
+4m   < A   1:1(0) ack 101      accept ESTABLISHED
+59m  > PA  101:201(100) ack 1  accept ESTABLISHED
+5m
      end expired ESTABLISHED

# An absolute lifetime ends a session however busy it is, and says nothing.
set timeouts.lifetime=90m
set expiry.action=reset-both

+0    > S   0:0(0)              accept SYN_SENT
+0    < SA  0:0(0) ack 1        accept SYN_RECV
+0    > A   1:1(0) ack 1        accept ESTABLISHED
+50m  > PA  1:101(100) ack 1    accept ESTABLISHED
+39m  < A   1:1(0) ack 101      accept ESTABLISHED
+59.999999999
+1ns
      end lifetime ESTABLISHED
+0    > PA  101:201(100) ack 1  drop unknown_packet NONE

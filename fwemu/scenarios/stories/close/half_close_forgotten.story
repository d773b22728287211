# A half-closed connection that is quiet for two minutes is forgotten; nobody is told.
set expiry.action=reset-both

+0    > S   0:0(0)              accept SYN_SENT
+.01  < SA  0:0(0) ack 1        accept SYN_RECV
+.01  > A   1:1(0) ack 1        accept ESTABLISHED
+0    > FA  1:1(0) ack 1        accept FIN_WAIT
+.01  < A   1:1(0) ack 2        accept CLOSE_WAIT
+119.999999999
+1ns
      end expired CLOSE_WAIT
+0    < PA  1:1001(1000) ack 2  drop unknown_packet NONE

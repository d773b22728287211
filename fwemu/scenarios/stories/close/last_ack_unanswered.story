# Both have closed, and the last ACK does not come: 30 s.
+0    > S   0:0(0)        accept SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED
+0    > FA  1:1(0) ack 1  accept FIN_WAIT
+.01  < FA  1:1(0) ack 2  accept LAST_ACK
+29.999999999
+1ns
      end expired LAST_ACK

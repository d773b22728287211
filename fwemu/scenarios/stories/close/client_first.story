# Four segments close a connection; a quarter of a minute later its ports are free again.
+0    > S   0:0(0)        accept SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED
+1    > FA  1:1(0) ack 1  accept FIN_WAIT
+.01  < A   1:1(0) ack 2  accept CLOSE_WAIT
+0    < FA  1:1(0) ack 2  accept LAST_ACK
+.01  > A   2:2(0) ack 2  accept TIME_WAIT
+14.999999999
+1ns
      end closed_by_fin TIME_WAIT

# Both close at once, each acknowledges the other's FIN: the slot is free with the last ACK.
profile = cisco-asa
+0    > S   0:0(0)        accept SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED
+0    > FA  1:1(0) ack 1  accept FIN_WAIT
+0    < FA  1:1(0) ack 1  accept LAST_ACK
+.01  > A   2:2(0) ack 2  accept LAST_ACK
+0    < A   2:2(0) ack 2  accept NONE
      end closed_by_fin TIME_WAIT

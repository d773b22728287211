# A FIN that nobody answers is forgotten after two minutes.
+0    > S   0:0(0)        accept SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED
+0    > FA  1:1(0) ack 1  accept FIN_WAIT
+119.999999999
+1ns
      end expired FIN_WAIT

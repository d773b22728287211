# A handshake, some data in both directions, and an hour of quiet.
+0    > S   0:0(0) win 65535 <mss 1460,sackOK,wscale 7>        accept SYN_SENT
+.01  < SA  0:0(0) ack 1 win 65535 <mss 1460,sackOK,wscale 7>  accept SYN_RECV
+.01  > A   1:1(0) ack 1                                       accept ESTABLISHED
+0    > PA  1:101(100) ack 1                                   accept ESTABLISHED
+.01  < A   1:1(0) ack 101                                     accept ESTABLISHED
+3599.999999999s
+1ns
  end expired ESTABLISHED
+0    > PA  101:201(100) ack 1                                 drop unknown_packet NONE

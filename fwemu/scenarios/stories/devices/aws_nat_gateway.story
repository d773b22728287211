# 350 s without a word: nothing is said then, and the next request of the client is reset.
profile = aws-nat-gateway

+0    >  S   0:0(0)            accept SYN_SENT
+.01  <  SA  0:0(0) ack 1      accept SYN_RECV
+.01  >  A   1:1(0) ack 1      accept ESTABLISHED
+350
      end expired ESTABLISHED
+0    >  PA  1:101(100) ack 1  drop unknown_packet NONE
      !< R   1:1(0)

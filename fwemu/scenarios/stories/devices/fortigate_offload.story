# Its RSTs have the numbers of the handshake: both ends ignore them, and hear nothing more.
profile = fortigate-offload

+0    >  S   0:0(0)                accept SYN_SENT
+.01  <  SA  0:0(0) ack 1          accept SYN_RECV
+.01  >  A   1:1(0) ack 1          accept ESTABLISHED
+0    >  PA  1:101(100) ack 1      accept ESTABLISHED
+.01  <  PA  1:201(200) ack 101    accept ESTABLISHED
+.01  >  A   101:101(0) ack 201    accept ESTABLISHED
+1h
      !< RA  1:1(0) ack 1
      !> RA  1:1(0) ack 1
      end expired ESTABLISHED
+0    >  PA  101:201(100) ack 201  drop unknown_packet NONE

# Nearly every segment carries timestamps (RFC 7323); they say nothing to a firewall.
kernel = yes

+0    > S   0:0(0) <mss 1460,sackOK,timestamps,wscale 7>        accept SYN_SENT
+.01  < SA  0:0(0) ack 1 <mss 1460,sackOK,timestamps,wscale 7>  accept SYN_RECV
+.01  > A   1:1(0) ack 1 <timestamps>                           accept ESTABLISHED
+0    > PA  1:101(100) ack 1 <timestamps>                       accept ESTABLISHED
+.01  < A   1:1(0) ack 101 <timestamps>                         accept ESTABLISHED

# TCP Fast Open: the SYN carries the request, the answer may come before the last ACK (RFC 7413).
kernel = yes

+0    > S   0:100(100) <mss 1460,sackOK,wscale 7>      accept SYN_SENT
+.01  < SA  0:0(0) ack 101 <mss 1460,sackOK,wscale 7>  accept SYN_RECV
+0    < PA  1:1001(1000) ack 101                       accept SYN_RECV
+.01  > A   101:101(0) ack 1                           accept ESTABLISHED
+0    > A   101:101(0) ack 1001                        accept ESTABLISHED

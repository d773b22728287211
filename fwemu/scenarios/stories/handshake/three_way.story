# Three segments open a connection, data flows in both directions.
kernel = yes

+0    > S   0:0(0) <mss 1460,sackOK,wscale 7>        accept opened SYN_SENT
+.01  < SA  0:0(0) ack 1 <mss 1460,sackOK,wscale 7>  accept SYN_RECV
+.01  > A   1:1(0) ack 1                             accept ESTABLISHED
+0    > PA  1:101(100) ack 1                         accept ESTABLISHED
+.01  < A   1:1(0) ack 101                           accept ESTABLISHED
+0    < PA  1:1401(1400) ack 101                     accept ESTABLISHED
+.01  > A   101:101(0) ack 1401                      accept ESTABLISHED

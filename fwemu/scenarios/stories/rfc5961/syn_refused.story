# The server had lost the connection and has no listener: its RST answers the SYN that was ignored.
kernel = yes

+0    > S   0:0(0)               accept SYN_SENT
+.01  < SA  0:0(0) ack 1         accept SYN_RECV
+.01  > A   1:1(0) ack 1         accept ESTABLISHED
+.01  > S   500000:500000(0)     accept ignored ESTABLISHED
+.01  < RA  =0:=0(0) ack 500001  accept CLOSE

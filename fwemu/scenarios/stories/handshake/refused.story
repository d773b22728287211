# A closed port answers with a RST, which is believed by what it acknowledges (RFC 9293 3.10.7.3).
+0    > S   0:0(0)          accept SYN_SENT
+.01  < RA  =0:=0(0) ack 1  accept CLOSE

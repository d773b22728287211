# The slot of a connection is free with the last ACK, and with a RST: no time after the close.
profile = cisco-asa

+0    >  S   0:0(0)          accept SYN_SENT
+.01  <  SA  0:0(0) ack 1    accept SYN_RECV
+.01  >  A   1:1(0) ack 1    accept ESTABLISHED
+0    >  FA  1:1(0) ack 1    accept FIN_WAIT
+.01  <  FA  1:1(0) ack 2    accept LAST_ACK
+.01  >  A   2:2(0) ack 2    accept NONE
      end closed_by_fin TIME_WAIT
+0    >2 S   0:0(0)          accept SYN_SENT
+.01  <2 RA  =0:=0(0) ack 1  accept NONE
      end closed_by_rst CLOSE 2

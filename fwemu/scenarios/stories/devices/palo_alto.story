# A RST that is not exact waits for 30 s to be challenged, and a denial is remembered for 90 s.
profile = palo-alto

+0    >  S   0:0(0)        accept SYN_SENT
+.01  <  SA  0:0(0) ack 1  accept SYN_RECV
+.01  >  A   1:1(0) ack 1  accept ESTABLISHED
+1m   >  R   300:300(0)    accept ESTABLISHED
+30
      end expired ESTABLISHED
+0    <2 S   0:0(0)        drop denied TCP_DISCARD
+89   <2 S   0:0(0)        drop discarded TCP_DISCARD
+1
      end expired TCP_DISCARD 2

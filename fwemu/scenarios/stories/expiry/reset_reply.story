# Only the end that was called hears of it.
set expiry.action=reset-reply

+0    >  S   0:0(0)        accept SYN_SENT
+.01  <  SA  0:0(0) ack 1  accept SYN_RECV
+.01  >  A   1:1(0) ack 1  accept ESTABLISHED
+1h
      !> RA  1:1(0) ack 1
      end expired ESTABLISHED

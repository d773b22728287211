# A handshake that runs out of time is nobody's connection: no RST.
set expiry.action=reset-both

+0   > S   0:0(0)  accept SYN_SENT
+30
     end expired SYN_SENT

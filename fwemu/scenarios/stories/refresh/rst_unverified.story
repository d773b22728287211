# A RST that is not exact may be believed or not: 30 s, unless the receiver's challenge is seen (PAN-OS).
set timeouts.tcp_rst_unverified=30s

+0    > S   0:0(0)        accept SYN_SENT
+0    < SA  0:0(0) ack 1  accept SYN_RECV
+0    > A   1:1(0) ack 1  accept ESTABLISHED
+0    > R   300:300(0)    accept ESTABLISHED
+29   < A   1:1(0) ack 1  accept ESTABLISHED
+59m  > R   300:300(0)    accept ESTABLISHED
+30
      end expired ESTABLISHED

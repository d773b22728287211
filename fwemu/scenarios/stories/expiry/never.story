# A timer that is switched off never runs out.
set timeouts.tcp_established=never

+0     > S   0:0(0)            accept SYN_SENT
+.01   < SA  0:0(0) ack 1      accept SYN_RECV
+.01   > A   1:1(0) ack 1      accept ESTABLISHED
+400d  > PA  1:101(100) ack 1  accept ESTABLISHED

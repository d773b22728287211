# A segment repeated three times in vain: five minutes instead of five days (nf_conntrack).
set timeouts.tcp_retransmitted=5m

+0   > S   0:0(0)            accept SYN_SENT
+0   < SA  0:0(0) ack 1      accept SYN_RECV
+0   > A   1:1(0) ack 1      accept ESTABLISHED
+0   > PA  1:101(100) ack 1  accept ESTABLISHED
+1   > PA  1:101(100) ack 1  accept ESTABLISHED
+2   > PA  1:101(100) ack 1  accept ESTABLISHED
+4   > PA  1:101(100) ack 1  accept ESTABLISHED
+4m59.999999999s
+1ns
     end expired ESTABLISHED

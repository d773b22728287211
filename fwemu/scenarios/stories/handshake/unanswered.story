# A SYN that nobody answers is forgotten after 30 s, and its late answer is unknown.
+0   > S   0:0(0)        accept SYN_SENT
+29.999999999
+1ns
     end expired SYN_SENT
+0   < SA  0:0(0) ack 1  drop unknown_packet NONE

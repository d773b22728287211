# A packet from the middle of nothing is dropped without a word, whatever its flags and its side.
kernel = yes

+0   > A   1:1(0) ack 1      drop unknown_packet NONE
+0   > PA  1:101(100) ack 1  drop unknown_packet NONE
+0   > FA  1:1(0) ack 1      drop unknown_packet NONE
+0   > SA  0:0(0) ack 1      drop unknown_packet NONE
+0   > R   1:1(0)            drop unknown_packet NONE
+0   < A   1:1(0) ack 1      drop unknown_packet NONE
+0   < SA  0:0(0) ack 1      drop unknown_packet NONE

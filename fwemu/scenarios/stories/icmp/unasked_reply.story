# An echo reply only ever answers: by itself it opens nothing, from wherever it comes.
kernel = yes

+0   > icmp echo_reply  drop unknown_packet NONE
+0   < icmp echo_reply  drop unknown_packet NONE

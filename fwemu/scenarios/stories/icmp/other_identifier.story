# An answer with an identifier that nobody used is no answer.
kernel = yes

+0    > icmp echo_request ident 5  accept opened ICMP
+.01  < icmp echo_reply ident 6    drop unknown_packet NONE
+.01  < icmp echo_reply ident 5    accept ICMP

# Linux probes a zero window by an ACK one below: as long as it asks, the session lives.
+0     > S   0:0(0) win 1000              accept SYN_SENT
+.01   < SA  0:0(0) ack 1 win 1000        accept SYN_RECV
+.01   > A   1:1(0) ack 1 win 1000        accept ESTABLISHED
+0     > PA  1:1001(1000) ack 1 win 1000  accept ESTABLISHED
+.01   < A   1:1(0) ack 1001 win 0        accept ESTABLISHED
+3599  > A   1000:1000(0) ack 1 win 1000  accept ESTABLISHED
+.01   < A   1:1(0) ack 1001 win 0        accept ESTABLISHED
+3599  > A   1000:1000(0) ack 1 win 1000  accept ESTABLISHED
+.01   < A   1:1(0) ack 1001 win 1000     accept ESTABLISHED

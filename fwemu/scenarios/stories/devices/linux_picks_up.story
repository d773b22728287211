# Linux with tcp_loose takes a connection up again that it has forgotten: nobody notices anything.
profile = linux-conntrack
kernel = yes

+0    > S   0:0(0)            accept SYN_SENT
+.01  < SA  0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+5d
      end expired ESTABLISHED
+0    > PA  1:101(100) ack 1  accept picked_up ESTABLISHED
+.01  < A   1:1(0) ack 101    accept ESTABLISHED

# A client has restarted and opens anew: challenge ACK, RST, and then a SYN that counts (section 4).
kernel = yes

+0    > S   0:0(0)                    accept SYN_SENT
+.01  < SA  0:0(0) ack 1              accept SYN_RECV
+.01  > A   1:1(0) ack 1              accept ESTABLISHED
+.01  > S   500000:500000(0)          accept ignored ESTABLISHED
+.01  < A   1:1(0) ack 1              accept ESTABLISHED
+.01  > R   1:1(0)                    accept CLOSE
+1    > S   500000:500000(0)          accept opened SYN_SENT
      end reused CLOSE
+.01  < SA  800:800(0) ack 500001     accept SYN_RECV
+.01  > A   500001:500001(0) ack 801  accept ESTABLISHED

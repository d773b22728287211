# A ping and its answers; the same identifier goes on as one session.
+0    > icmp echo_request  accept opened ICMP
+.01  < icmp echo_reply    accept ICMP
+1    > icmp echo_request  accept ICMP
+.01  < icmp echo_reply    accept ICMP
+29.999999999
+1ns
      end expired ICMP

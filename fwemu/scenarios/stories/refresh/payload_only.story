# A proxy counts octets: an empty ACK keeps nothing alive, one octet does.
set refresh.payload_only=true

+0    > S   0:0(0)        accept SYN_SENT
+0    < SA  0:0(0) ack 1  accept SYN_RECV
+0    > A   1:1(0) ack 1  accept ESTABLISHED
+30m  > PA  1:2(1) ack 1  accept ESTABLISHED
+30m  < A   1:1(0) ack 2  accept ESTABLISHED
+29m59.999999999s
+1ns
      end expired ESTABLISHED

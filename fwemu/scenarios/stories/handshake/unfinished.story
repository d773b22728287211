# A server that never gets the last ACK: 30 s after its SYN-ACK the attempt is forgotten.
+0   > S   0:0(0)        accept SYN_SENT
+29  < SA  0:0(0) ack 1  accept SYN_RECV
+29.999999999
+1ns
     end expired SYN_RECV

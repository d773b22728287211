# Only the opener's packets keep the session: a server that pushes all the time loses its client.
set refresh.tcp=original

+0    > S   0:0(0)            accept SYN_SENT
+0    < SA  0:0(0) ack 1      accept SYN_RECV
+0    > A   1:1(0) ack 1      accept ESTABLISHED
+40m  < PA  1:101(100) ack 1  accept ESTABLISHED
+19m59.999999999s
+1ns
      end expired ESTABLISHED

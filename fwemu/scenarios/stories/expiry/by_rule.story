# A rule gives its sessions a timeout of their own, while they are open.
set rules=[{action="allow", proto="tcp", ports=[80], idle_timeout="4h"}]

+0         > S   0:0(0)            accept SYN_SENT
+.01       < SA  0:0(0) ack 1      accept SYN_RECV
+.01       > A   1:1(0) ack 1      accept ESTABLISHED
+3h59m59s  > PA  1:101(100) ack 1  accept ESTABLISHED
+.01       < A   1:1(0) ack 101    accept ESTABLISHED
+4h
           end expired ESTABLISHED

# With a rule for it the outside opens, and its direction is the original one.
set default_action.outside=allow

+0    < S   0:0(0)        accept opened SYN_SENT
+.01  > SA  0:0(0) ack 1  accept SYN_RECV
+.01  < A   1:1(0) ack 1  accept ESTABLISHED
+1h
      end expired ESTABLISHED

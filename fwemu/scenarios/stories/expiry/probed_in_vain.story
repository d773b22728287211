# An end that is gone does not answer: five questions, 15 s apart, and the session ends without a word.
set expiry.action=probe

+0    >  S   0:0(0)        accept SYN_SENT
+.01  <  SA  0:0(0) ack 1  accept SYN_RECV
+.01  >  A   1:1(0) ack 1  accept ESTABLISHED
+1h
      !< A   0:0(0) ack 1
      !> A   0:0(0) ack 1
+.01  >  A   1:1(0) ack 1  accept ESTABLISHED
+14.99
      !> A   0:0(0) ack 1
+15
      !> A   0:0(0) ack 1
+15
      !> A   0:0(0) ack 1
+15
      !> A   0:0(0) ack 1
+14.999999999
+1ns
      end unanswered ESTABLISHED

# The firewall asks both ends before it forgets them, one below what each expects; both answer.
set expiry.action=probe

+0    >  S   0:0(0)              accept SYN_SENT
+.01  <  SA  0:0(0) ack 1        accept SYN_RECV
+.01  >  A   1:1(0) ack 1        accept ESTABLISHED
+0    >  PA  1:101(100) ack 1    accept ESTABLISHED
+0    <  PA  1:201(200) ack 101  accept ESTABLISHED
+0    >  A   101:101(0) ack 201  accept ESTABLISHED
+1h
      !< A   200:200(0) ack 101
      !> A   100:100(0) ack 201
+.01  >  A   101:101(0) ack 201  accept ESTABLISHED
+.01  <  A   201:201(0) ack 101  accept ESTABLISHED
+59m

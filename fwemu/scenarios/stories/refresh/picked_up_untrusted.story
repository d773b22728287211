# A connection that was picked up has a short timer until the other end answers (Open vSwitch).
set unknown.inside=pick-up
set unknown.trust=answered
set timeouts.tcp_picked_up=30s

+0   > PA  1:101(100) ack 1    accept picked_up ESTABLISHED
+29  < A   1:1(0) ack 101      accept ESTABLISHED
+1h
     end expired ESTABLISHED
+0   > PA  101:201(100) ack 1  accept picked_up ESTABLISHED
+30
     end expired ESTABLISHED

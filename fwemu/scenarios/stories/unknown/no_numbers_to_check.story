# A connection that was picked up is never checked for its window: its scaling is not known.
kernel = yes
set unknown.inside=pick-up

+0    > A   1:1(0) ack 1 win 100             accept picked_up ESTABLISHED
+.01  < A   1:1001(1000) ack 1 win 100       accept ESTABLISHED
+0    < A   50001:51001(1000) ack 1 win 100  accept ESTABLISHED

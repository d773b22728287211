# From outside too, where the rules allow a session from there.
set unknown.outside=pick-up
set default_action.outside=allow

+0    < PA  1:101(100) ack 1  accept picked_up ESTABLISHED
+.01  > A   1:1(0) ack 101    accept ESTABLISHED

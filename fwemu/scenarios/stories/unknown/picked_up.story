# An ACK from inside opens a session in mid-stream; from then on it is one like others.
set unknown.inside=pick-up

+0    > A   1:1(0) ack 1        accept picked_up ESTABLISHED
+.01  < PA  1:101(100) ack 1    accept ESTABLISHED
+.01  > A   1:1(0) ack 101      accept ESTABLISHED
+1h
      end expired ESTABLISHED
+0    < PA  101:201(100) ack 1  drop unknown_packet NONE
+0    > PA  1:101(100) ack 101  accept picked_up ESTABLISHED

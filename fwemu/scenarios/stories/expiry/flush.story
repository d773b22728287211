# The nightly clean-up empties the table at midnight, silently, whatever is to happen at expiry.
set expiry.action=reset-both
set timeouts.tcp_established=never
set flush=[{schedule="0 0 * * *"}]

+0    > S   0:0(0)        accept SYN_SENT
+.01  < SA  0:0(0) ack 1  accept SYN_RECV
+.01  > A   1:1(0) ack 1  accept ESTABLISHED
+23h59m
+1m
      end flushed ESTABLISHED

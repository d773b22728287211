# A client that wants no more resets what it has begun; ten seconds later nothing is left of it.
+0    > S   0:0(0)  accept SYN_SENT
+.01  > R   1:1(0)  accept CLOSE
+9.999999999
+1ns
      end closed_by_rst CLOSE

# A table that keeps what it has: the next session is refused until one of them ends.
set table.capacity=1
set table.when_full=reject-new

+0   >  S   0:0(0)  accept SYN_SENT
+1   >2 S   0:0(0)  drop table_full NONE
+29
     end expired SYN_SENT
+0   >2 S   0:0(0)  accept opened SYN_SENT

# A protocol without ports is known by its pair of addresses, and forgotten after ten minutes.
+0    > proto 47 (100)  accept opened OTHER
+.01  < proto 47 (100)  accept OTHER
+599.999999999
+1ns
      end expired OTHER
+0    < proto 47 (100)  drop denied NONE

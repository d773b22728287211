# What unknown packets get may depend on the rule that would let them through.
set rules=[{action="allow", from="inside", proto="tcp", unknown="reset"}]

+0   >  A   1:1(0) ack 5  drop unknown_packet NONE
     !< R   5:5(0)
+0   <  A   1:1(0) ack 5  drop unknown_packet NONE
     !> R   5:5(0)

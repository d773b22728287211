# A SYN that is repeated for ever keeps no entry alive where its timer is absolute.
set refresh.absolute=tcp_syn_sent

+0   > S   0:0(0)  accept SYN_SENT
+10  > S   0:0(0)  accept SYN_SENT
+10  > S   0:0(0)  accept SYN_SENT
+10
     end expired SYN_SENT

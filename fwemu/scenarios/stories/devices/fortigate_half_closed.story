# A half-closed connection ends two minutes after its first FIN was acknowledged, whatever still flows.
profile = fortigate

ip = 4

+0    > S   0:0(0)            accept SYN_SENT
+.01  < SA  0:0(0) ack 1      accept SYN_RECV
+.01  > A   1:1(0) ack 1      accept ESTABLISHED
+1    > FA  1:1(0) ack 1      accept FIN_WAIT
+.01  < A   1:1(0) ack 2      accept CLOSE_WAIT
+10   < PA  1:11(10) ack 2   accept CLOSE_WAIT
+0    > A   2:2(0) ack 11     accept CLOSE_WAIT
+10   < PA  11:21(10) ack 2   accept CLOSE_WAIT
+0    > A   2:2(0) ack 21     accept CLOSE_WAIT
+10   < PA  21:31(10) ack 2   accept CLOSE_WAIT
+0    > A   2:2(0) ack 31     accept CLOSE_WAIT
+10   < PA  31:41(10) ack 2   accept CLOSE_WAIT
+0    > A   2:2(0) ack 41     accept CLOSE_WAIT
+10   < PA  41:51(10) ack 2   accept CLOSE_WAIT
+0    > A   2:2(0) ack 51     accept CLOSE_WAIT
+10   < PA  51:61(10) ack 2   accept CLOSE_WAIT
+0    > A   2:2(0) ack 61     accept CLOSE_WAIT
+10   < PA  61:71(10) ack 2   accept CLOSE_WAIT
+0    > A   2:2(0) ack 71     accept CLOSE_WAIT
+10   < PA  71:81(10) ack 2   accept CLOSE_WAIT
+0    > A   2:2(0) ack 81     accept CLOSE_WAIT
+10   < PA  81:91(10) ack 2   accept CLOSE_WAIT
+0    > A   2:2(0) ack 91     accept CLOSE_WAIT
+10   < PA  91:101(10) ack 2   accept CLOSE_WAIT
+0    > A   2:2(0) ack 101     accept CLOSE_WAIT
+10   < PA  101:111(10) ack 2   accept CLOSE_WAIT
+0    > A   2:2(0) ack 111     accept CLOSE_WAIT
+9.99   < PA  111:121(10) ack 2   accept CLOSE_WAIT
+0      > A   2:2(0) ack 121      accept CLOSE_WAIT
+.01
       end expired CLOSE_WAIT
+1    < PA  121:131(10) ack 2   drop unknown_packet NONE

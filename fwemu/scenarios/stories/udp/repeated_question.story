# A question that is repeated stays a question.
kernel = yes

+0    > udp (100)  accept opened UDP_UNREPLIED
+20   > udp (100)  accept UDP_UNREPLIED
+20   > udp (100)  accept UDP_UNREPLIED
+.01  < udp (400)  accept UDP_REPLIED

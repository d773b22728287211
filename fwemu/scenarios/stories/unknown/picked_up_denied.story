# Pick-up needs the permission that a SYN would need.
kernel = yes
set unknown.outside=pick-up

+0   < PA  1:101(100) ack 1  drop denied NONE

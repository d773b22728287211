"""Stories: packet-by-packet test scripts, the backends that run them, and the demo."""

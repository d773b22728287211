"""The stories: what happens to real applications behind firewalls, one file each."""

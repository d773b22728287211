"""Kills labs, firewalls and their helpers at random moments, and looks for what is left."""

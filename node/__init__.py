"""The clinic's own server: what staff, tablets and instruments on the LAN talk to."""

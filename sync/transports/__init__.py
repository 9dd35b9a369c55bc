"""How messages of an exchange get from one end to the other. Knows bytes, no operation."""

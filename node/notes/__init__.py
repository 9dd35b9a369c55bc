"""What was written about a visit."""

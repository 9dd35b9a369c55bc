"""Who is here today, and why."""

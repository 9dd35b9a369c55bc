"""Who is known to this clinic."""

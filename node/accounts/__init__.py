"""People who sign in at this clinic."""

"""Questions that concurrent writes leave to a person."""

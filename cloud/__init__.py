"""The centre that clinics reconcile with: ingest, feeds, console. Same shape as node."""

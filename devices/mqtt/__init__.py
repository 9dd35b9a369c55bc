"""Readings that arrive over MQTT: our own ingest-only endpoint, and a client for a broker that is already there."""

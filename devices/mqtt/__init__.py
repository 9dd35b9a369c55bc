"""Readings over MQTT: our own ingest-only endpoint, and a reader of a broker that is already there."""

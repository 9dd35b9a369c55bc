"""Bytes and units of clinical instruments. Knows no clinic and no sync."""

"""Readings over Bluetooth LE: find an instrument, fetch what it has stored, set its clock, let it go."""

"""Instruments, and whose their readings are."""

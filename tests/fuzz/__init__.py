"""Bytes that nobody has written, given to everything that reads bytes of others."""

"""The pipeline without an engine and without I/O, in the order in which an event goes through it."""

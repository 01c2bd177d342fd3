"""The state of a run apart from its engine: where it is in the log, and the window of each device."""

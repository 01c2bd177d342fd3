"""The way to the two services: channels, tokens, calls, and what is asked in which order."""

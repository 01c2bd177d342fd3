"""What is looked at in a browser: the report of a run as one file, and the live page."""

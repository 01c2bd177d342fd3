"""The pipeline around the rules: settings, records, the service client, and one adapter for each engine."""

__version__ = "0.1.0"

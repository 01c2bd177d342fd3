"""The pipeline around the rules: settings, records, the service client, and one adapter for each engine."""

"""A topic as a log and as an output: what both engines and the command line need of Kafka."""

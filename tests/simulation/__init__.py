"""Simulates whole runs in one process, from a seed: the log, the services, the engine and every crash.

What is shipped runs as it is: the core, the pipeline, the client, both adapters. What is simulated stands around it, at
the lowest seam there is: the clients of Kafka and the channels of gRPC, the database and the scheduler of Bytewax, the
Java half of the Flink job, the clock. No thread, no socket and no sleep takes part, so a seed gives one sequence of
events, again and again. docs/simulation.md says what is modelled from what.
"""

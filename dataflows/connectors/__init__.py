"""Inputs and outputs that both engines use: files and Kafka topics."""

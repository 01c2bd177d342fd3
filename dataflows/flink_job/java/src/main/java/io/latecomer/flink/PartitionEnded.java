package io.latecomer.flink;

import org.apache.flink.api.connector.source.SourceEvent;

/** A reader tells that it has read a partition as far as the run goes. */
record PartitionEnded(int partition) implements SourceEvent {}

package io.latecomer.flink;

import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;

/** Where a partition is read on from, and its clock there. */
final class ClockedSplit extends KafkaPartitionSplit {
  private final long clockMs;

  ClockedSplit(KafkaPartitionSplit split, long startingOffset, long clockMs) {
    super(
        split.getTopicPartition(),
        startingOffset,
        split.getStoppingOffset().orElse(NO_STOPPING_OFFSET));
    this.clockMs = clockMs;
  }

  long clockMs() {
    return clockMs;
  }
}

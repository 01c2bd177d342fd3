package io.latecomer.flink;

import java.io.IOException;
import java.io.Serializable;
import java.util.stream.Stream;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * Up to where each partition is read. A split that is restored, or handed to a reader, ends there.
 */
final class SplitEnds implements Serializable {
  private static final long serialVersionUID = 1L;

  private final long[] offsets;

  SplitEnds(String offsets) {
    this.offsets =
        offsets == null ? null : Stream.of(offsets.split(",")).mapToLong(Long::parseLong).toArray();
  }

  boolean isBounded() {
    return offsets != null;
  }

  SimpleVersionedSerializer<KafkaPartitionSplit> appliedBy(
      SimpleVersionedSerializer<KafkaPartitionSplit> serializer) {
    return new SimpleVersionedSerializer<>() {
      @Override
      public int getVersion() {
        return serializer.getVersion();
      }

      @Override
      public byte[] serialize(KafkaPartitionSplit split) throws IOException {
        return serializer.serialize(split);
      }

      @Override
      public KafkaPartitionSplit deserialize(int version, byte[] serialized) throws IOException {
        return applied(serializer.deserialize(version, serialized));
      }
    };
  }

  private KafkaPartitionSplit applied(KafkaPartitionSplit split) {
    long end = isBounded() ? offsets[split.getPartition()] : KafkaPartitionSplit.NO_STOPPING_OFFSET;
    return new KafkaPartitionSplit(split.getTopicPartition(), split.getStartingOffset(), end);
  }
}

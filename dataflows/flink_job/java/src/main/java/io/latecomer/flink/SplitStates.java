package io.latecomer.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.Uuid;

/**
 * Splits as bytes: the id of their topic, the sensors of its events and the clock of the partition,
 * then what the connector writes. A split that is restored, or handed to a reader, ends where this
 * run ends.
 */
final class SplitStates implements SimpleVersionedSerializer<KafkaPartitionSplit> {
  private static final int VERSION = 1_002; // far from the connector's own

  private final SimpleVersionedSerializer<KafkaPartitionSplit> serializer;
  private final TopicLog log;

  SplitStates(SimpleVersionedSerializer<KafkaPartitionSplit> serializer, TopicLog log) {
    this.serializer = serializer;
    this.log = log;
  }

  @Override
  public int getVersion() {
    return VERSION;
  }

  @Override
  public byte[] serialize(KafkaPartitionSplit split) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream output = new DataOutputStream(bytes)) {
      output.writeLong(log.uuid().getMostSignificantBits());
      output.writeLong(log.uuid().getLeastSignificantBits());
      output.writeUTF(log.sensors());
      output.writeLong(
          split instanceof ClockedSplit clocked ? clocked.clockMs() : PartitionClock.NOT_BEGUN);
      output.writeInt(serializer.getVersion());
      output.write(serializer.serialize(split));
    }
    return bytes.toByteArray();
  }

  @Override
  public KafkaPartitionSplit deserialize(int version, byte[] serialized) throws IOException {
    if (version != VERSION) {
      throw new IOException(
          "the state was saved by an earlier version, without the sensors of its events: start anew"
              + " with another state");
    }
    DataInputStream input = new DataInputStream(new ByteArrayInputStream(serialized));
    Uuid id = new Uuid(input.readLong(), input.readLong());
    String sensors = input.readUTF();
    long clockMs = input.readLong();
    KafkaPartitionSplit split = serializer.deserialize(input.readInt(), input.readAllBytes());
    if (!split.getTopic().equals(log.topic())) {
      throw new IOException(
          "the state is of the topic " + split.getTopic() + ", and the run reads " + log.topic());
    }
    if (!id.equals(log.uuid())) {
      throw new IOException(
          "the state is of another topic that was named "
              + log.topic()
              + ": it was deleted and made anew, so start anew with another state");
    }
    if (!sensors.equals(log.sensors())) {
      throw new IOException(
          "the state is of a run with --sensors " + sensors + ", not " + log.sensors());
    }
    return new ClockedSplit(log.bounded(split), split.getStartingOffset(), clockMs);
  }
}

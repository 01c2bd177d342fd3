package io.latecomer.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplit;
import org.apache.flink.connector.kafka.source.split.KafkaPartitionSplitSerializer;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.Uuid;

/**
 * Splits as bytes: the id of their topic, the sensors of its events and the clock of the partition,
 * then what the connector writes, and the CRC-32 of all that. A split that is restored, or handed
 * to a reader, ends where this run ends.
 */
final class SplitStates implements SimpleVersionedSerializer<KafkaPartitionSplit> {
  private static final int VERSION = 1_003; // far from the connector's own

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
          split instanceof ClockedSplit clocked
              ? clocked.clockMs()
              : log.firstClockMs(split.getPartition()));
      output.writeInt(serializer.getVersion());
      output.write(serializer.serialize(split));
      output.writeInt(checksum(bytes.toByteArray(), bytes.size()));
    }
    return bytes.toByteArray();
  }

  private static int checksum(byte[] bytes, int size) {
    CRC32 checksum = new CRC32();
    checksum.update(bytes, 0, size);
    return (int) checksum.getValue();
  }

  /** A split as it was saved, whatever run it is of. */
  record Saved(Uuid id, String sensors, long clockMs, KafkaPartitionSplit split) {
    static Saved read(
        int version, byte[] serialized, SimpleVersionedSerializer<KafkaPartitionSplit> serializer)
        throws IOException {
      if (version > VERSION) {
        throw new IOException(
            "the state was saved by a newer version: use the release that wrote it");
      }
      if (version < VERSION) {
        throw new IOException(
            "the state was saved by an earlier version, without a checksum of its positions: start"
                + " anew with another state");
      }
      int size = serialized.length - Integer.BYTES;
      if (size < 0 || ByteBuffer.wrap(serialized).getInt(size) != checksum(serialized, size)) {
        throw new IOException(
            "the state is damaged: the checksum of a position does not match its content");
      }
      DataInputStream input = new DataInputStream(new ByteArrayInputStream(serialized));
      Uuid id = new Uuid(input.readLong(), input.readLong());
      String sensors = input.readUTF();
      long clockMs = input.readLong();
      KafkaPartitionSplit split =
          serializer.deserialize(
              input.readInt(), input.readNBytes(input.available() - Integer.BYTES));
      return new Saved(id, sensors, clockMs, split);
    }

    /** A line: partition, next offset, clock, topic, the topic's id, sensors; tabs between. */
    @Override
    public String toString() {
      return String.join(
          "\t",
          String.valueOf(split.getPartition()),
          String.valueOf(split.getStartingOffset()),
          String.valueOf(clockMs),
          split.getTopic(),
          id.toString(),
          sensors);
    }
  }

  /** Reads what this has written; nothing is written with it. */
  static final class Reader implements SimpleVersionedSerializer<Saved> {
    @Override
    public int getVersion() {
      return VERSION;
    }

    @Override
    public byte[] serialize(Saved saved) {
      throw new UnsupportedOperationException("a split is written by its run");
    }

    @Override
    public Saved deserialize(int version, byte[] serialized) throws IOException {
      return Saved.read(version, serialized, new KafkaPartitionSplitSerializer());
    }
  }

  @Override
  public KafkaPartitionSplit deserialize(int version, byte[] serialized) throws IOException {
    Saved saved = Saved.read(version, serialized, serializer);
    KafkaPartitionSplit split = saved.split();
    if (!split.getTopic().equals(log.topic())) {
      throw new IOException(
          "the state is of the topic " + split.getTopic() + ", and the run reads " + log.topic());
    }
    if (!saved.id().equals(log.uuid())) {
      throw new IOException(
          "the state is of another topic that was named "
              + log.topic()
              + ": it was deleted and made anew, so start anew with another state");
    }
    if (!saved.sensors().equals(log.sensors())) {
      throw new IOException(
          "the state is of a run with --sensors " + saved.sensors() + ", not " + log.sensors());
    }
    return new ClockedSplit(log.bounded(split), split.getStartingOffset(), saved.clockMs());
  }
}

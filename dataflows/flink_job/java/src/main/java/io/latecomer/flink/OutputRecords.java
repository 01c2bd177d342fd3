package io.latecomer.flink;

import java.nio.ByteBuffer;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.types.Row;
import org.apache.flink.util.Collector;

/**
 * Takes the records of one topic out of what the Python side gives: any number of them, each as topic (1 byte), size of
 * the key or -1 (4, big-endian), key, size of the value (4), value. A row has key and value, both bytes.
 */
public final class OutputRecords implements FlatMapFunction<byte[], Row> {
  private static final long serialVersionUID = 1L;

  private final byte topic;

  public OutputRecords(int topic) {
    this.topic = (byte) topic;
  }

  @Override
  public void flatMap(byte[] records, Collector<Row> out) {
    ByteBuffer buffer = ByteBuffer.wrap(records);
    while (buffer.hasRemaining()) {
      boolean isWanted = buffer.get() == topic;
      byte[] key = bytes(buffer, isWanted);
      byte[] value = bytes(buffer, isWanted);
      if (isWanted) {
        out.collect(Row.of(key, value));
      }
    }
  }

  private static byte[] bytes(ByteBuffer buffer, boolean isWanted) {
    int size = buffer.getInt();
    if (size < 0) {
      return null;
    }
    if (!isWanted) {
      buffer.position(buffer.position() + size);
      return null;
    }
    byte[] bytes = new byte[size];
    buffer.get(bytes);
    return bytes;
  }
}

package io.latecomer.flink;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.types.Row;

/**
 * One record of the log as the Python side reads it, big-endian: kind and marks (1 byte), arrival
 * in ms (8), partition (4), offset (8), size of the key or -1 (4), key, value. {@code
 * dataflows/flink_job/frames.py} is its other half.
 *
 * <p>Within the job a record is a row of two fields: what it is keyed by, and this frame.
 */
final class RecordFrame {
  static final byte RECORD = 0;
  static final byte HEARTBEAT = 1;
  static final byte WITHOUT_VALUE = 3;

  /** Mark: the record arrived before the one in front of it, and was given the arrival of that. */
  static final byte CLAMPED = 0x10;

  /** Mark: it arrived a day or more after all before it. */
  static final byte JUMPED = 0x20;

  private static final int ARRIVAL_AT = 1;
  private static final int OFFSET_AT = 1 + 8 + 4;
  private static final int HEADER_BYTES = 1 + 8 + 4 + 8 + 4;
  private static final int KEY_SIZE_AT = HEADER_BYTES - 4;

  private RecordFrame() {}

  /** The type of the rows: a string and bytes. */
  static TypeInformation<Row> type() {
    return Types.ROW(Types.STRING, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
  }

  static Row row(long arrivalMs, int partition, long offset, byte[] key, byte[] value) {
    int keySize = key == null ? 0 : key.length;
    int valueSize = value == null ? 0 : value.length;
    ByteBuffer frame = ByteBuffer.allocate(HEADER_BYTES + keySize + valueSize);
    byte kindWithoutValue = key == null ? HEARTBEAT : WITHOUT_VALUE;
    frame.put(value == null ? kindWithoutValue : RECORD);
    frame.putLong(arrivalMs).putInt(partition).putLong(offset).putInt(key == null ? -1 : keySize);
    if (key != null) {
      frame.put(key);
    }
    if (value != null) {
      frame.put(value);
    }
    return row(frame.array());
  }

  static Row row(byte[] frame) {
    int keySize = Math.max(ByteBuffer.wrap(frame).getInt(KEY_SIZE_AT), 0);
    return Row.of(keyText(frame, HEADER_BYTES, keySize), frame);
  }

  /** A key as text, one character a byte: any key has a text, and different keys different ones. */
  static String keyText(byte[] key) {
    return keyText(key, 0, key.length);
  }

  /** The bytes of a key that is text. */
  static byte[] keyBytes(String key) {
    return key.getBytes(StandardCharsets.ISO_8859_1);
  }

  /** Whether it is a heartbeat of which there is nothing to count. */
  static boolean isPlainHeartbeat(byte[] frame) {
    return frame[0] == HEARTBEAT;
  }

  static long arrivalMs(byte[] frame) {
    return ByteBuffer.wrap(frame).getLong(ARRIVAL_AT);
  }

  static long offset(byte[] frame) {
    return ByteBuffer.wrap(frame).getLong(OFFSET_AT);
  }

  /** Give a record another arrival. */
  static void clamp(byte[] frame, long arrivalMs) {
    ByteBuffer.wrap(frame).putLong(ARRIVAL_AT, arrivalMs);
    mark(frame, CLAMPED);
  }

  static void mark(byte[] frame, byte mark) {
    frame[0] |= mark;
  }

  static String key(Row row) {
    return (String) row.getField(0);
  }

  static byte[] frame(Row row) {
    return (byte[]) row.getField(1);
  }

  private static String keyText(byte[] bytes, int offset, int size) {
    return new String(bytes, offset, size, StandardCharsets.ISO_8859_1);
  }
}

package io.latecomer.flink;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;

/**
 * What goes into Python at once, big-endian: purpose (1 byte), then entries of kind (1), size (4)
 * and payload, each followed by the size of its device's snapshot or -1 (4), and the snapshot.
 *
 * <p>The payload of a record is its {@link RecordFrame}; that of a wake-up is the arrival watermark
 * (8) and the key. {@code dataflows/flink_job/frames.py} is the other half.
 */
final class Batch {
  /** Calls to the services may stay in flight. */
  static final byte CONTINUE = 0;

  /** Every call ends before the answer does. */
  static final byte FLUSH = 1;

  /** As FLUSH, and the answer has the snapshot of each window that is not saved yet. */
  static final byte SAVE = 2;

  static final byte RECORD = 0;
  static final byte WAKE_UP = 1;

  private static final byte[] NONE = new byte[0];

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final ByteBuffer header = ByteBuffer.allocate(1 + Integer.BYTES);
  private int entries;

  /** The payload of a wake-up: the arrival watermark, and the device. */
  static byte[] wakeUp(long nowMs, String device) {
    byte[] key = RecordFrame.keyBytes(device);
    return ByteBuffer.allocate(Long.BYTES + key.length).putLong(nowMs).put(key).array();
  }

  boolean isEmpty() {
    return entries == 0;
  }

  int entries() {
    return entries;
  }

  /** Add an entry; {@code snapshot} is null where none is handed over. */
  void add(byte kind, byte[] payload, byte[] snapshot) {
    header.clear().put(kind).putInt(payload.length);
    bytes.write(header.array(), 0, 1 + Integer.BYTES);
    bytes.write(payload, 0, payload.length);
    header.clear().putInt(snapshot == null ? -1 : snapshot.length);
    bytes.write(header.array(), 0, Integer.BYTES);
    byte[] handed = snapshot == null ? NONE : snapshot;
    bytes.write(handed, 0, handed.length);
    entries++;
  }

  /** The batch as bytes; the next one begins empty. */
  byte[] taken(byte purpose) {
    byte[] whole =
        ByteBuffer.allocate(1 + bytes.size()).put(purpose).put(bytes.toByteArray()).array();
    bytes.reset();
    entries = 0;
    return whole;
  }
}

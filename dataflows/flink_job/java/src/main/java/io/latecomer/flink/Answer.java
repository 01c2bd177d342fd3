package io.latecomer.flink;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * What comes back from Python for a batch, big-endian: messages of kind (1 byte), size of the key
 * or -1 (4), key, size of the value (4), value. {@code dataflows/flink_job/frames.py} is the other
 * half.
 */
final class Answer {
  private static final byte PREDICTION = 0;
  private static final byte REJECTION = 1;
  private static final byte HOLD = 2;
  private static final byte TIMER = 3;
  private static final byte SAVE = 4;
  private static final byte RELEASE = 5;
  private static final byte FORGET = 6;

  private Answer() {}

  /** One method for each kind of message, called in the order of the answer. */
  interface Receiver {
    /** A record for the predictions. */
    void prediction(byte[] key, byte[] value);

    /** A record for the rejections; its key may be null. */
    void rejection(byte[] key, byte[] value);

    /** Python has begun a window for a device, and holds it from now on. */
    void hold(String device);

    /** Wake the device up once the watermark has reached this instant. */
    void timer(String device, long wakeupMs);

    /** Store the snapshot of a device; Python goes on holding its window. */
    void save(String device, byte[] state) throws IOException;

    /** Store the snapshot of a device; Python holds its window no longer. */
    void release(String device, byte[] state) throws IOException;

    /** The device has expired: nothing is kept of it, on either side. */
    void forget(String device);
  }

  static void read(byte[] answer, Receiver receiver) throws IOException {
    ByteBuffer messages = ByteBuffer.wrap(answer);
    while (messages.hasRemaining()) {
      byte kind = messages.get();
      byte[] key = bytes(messages);
      byte[] value = bytes(messages);
      switch (kind) {
        case PREDICTION -> receiver.prediction(key, value);
        case REJECTION -> receiver.rejection(key, value);
        case HOLD -> receiver.hold(RecordFrame.keyText(key));
        case TIMER -> receiver.timer(RecordFrame.keyText(key), ByteBuffer.wrap(value).getLong());
        case SAVE -> receiver.save(RecordFrame.keyText(key), value);
        case RELEASE -> receiver.release(RecordFrame.keyText(key), value);
        case FORGET -> receiver.forget(RecordFrame.keyText(key));
        default -> throw new IllegalStateException("a message of kind " + kind);
      }
    }
  }

  private static byte[] bytes(ByteBuffer messages) {
    int size = messages.getInt();
    if (size < 0) {
      return null;
    }
    byte[] bytes = new byte[size];
    messages.get(bytes);
    return bytes;
  }
}

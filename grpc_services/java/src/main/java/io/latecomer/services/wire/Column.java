package io.latecomer.services.wire;

import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Columns as they travel: little-endian values one behind the other, a whole number of them. */
final class Column {
  private Column() {}

  /** The unsigned 32-bit values, as longs. */
  static long[] unsignedInts(ByteString bytes) {
    ByteBuffer buffer = littleEndian(bytes);
    long[] values = new long[bytes.size() / Integer.BYTES];
    for (int i = 0; i < values.length; i++) {
      values[i] = Integer.toUnsignedLong(buffer.getInt());
    }
    return values;
  }

  static float[] floats(ByteString bytes) {
    float[] values = new float[bytes.size() / Float.BYTES];
    littleEndian(bytes).asFloatBuffer().get(values);
    return values;
  }

  private static ByteBuffer littleEndian(ByteString bytes) {
    return bytes.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }
}

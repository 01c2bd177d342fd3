package io.latecomer.services.server;

import com.google.protobuf.ByteString;
import io.grpc.examples.ml.RawEvent;
import io.grpc.examples.ml.RawEventList;
import io.latecomer.v1.WindowBatch;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/** Requests for tests: windows of random readings, as a batch and as the original demo's lists. */
final class Batches {
  private Batches() {}

  static ByteString floats(float... values) {
    ByteBuffer buffer = buffer(values.length * Float.BYTES);
    for (float value : values) {
      buffer.putFloat(value);
    }
    return ByteString.copyFrom(buffer.flip());
  }

  static ByteString uint32(long... values) {
    ByteBuffer buffer = buffer(values.length * Integer.BYTES);
    for (long value : values) {
      buffer.putInt((int) value);
    }
    return ByteString.copyFrom(buffer.flip());
  }

  static ByteString int64(long... values) {
    ByteBuffer buffer = buffer(values.length * Long.BYTES);
    for (long value : values) {
      buffer.putLong(value);
    }
    return ByteString.copyFrom(buffer.flip());
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Windows of the sizes given: reading r of sensor s is a random number of a random magnitude. */
  static WindowBatch random(Random random, int... sizes) {
    WindowBatch.Builder batch = WindowBatch.newBuilder();
    long[] offsets = new long[sizes.length + 1];
    for (int row = 0; row < sizes.length; row++) {
      offsets[row + 1] = offsets[row] + sizes[row];
      batch.addEvaluationId("d" + row + "/0/0").addDeviceId("d" + row);
    }
    int rows = (int) offsets[sizes.length];
    long[] times = random.longs(rows, 0, 1L << 40).sorted().toArray();
    return batch
        .setOffsets(uint32(offsets))
        .setTimes(int64(times))
        .setSensor1(floats(readings(random, rows)))
        .setSensor2(floats(readings(random, rows)))
        .setSensor3(floats(readings(random, rows)))
        .setSensor4(floats(readings(random, rows)))
        .build();
  }

  private static float[] readings(Random random, int count) {
    float[] readings = new float[count];
    for (int i = 0; i < count; i++) {
      readings[i] = (float) (random.nextGaussian() * Math.pow(10, random.nextInt(20) - 10));
    }
    return readings;
  }

  /** One window of a batch as the original demo sends it. */
  static RawEventList list(WindowBatch batch, int row) {
    ByteBuffer offsets = little(batch.getOffsets());
    RawEventList.Builder list = RawEventList.newBuilder().setDeviceId(batch.getDeviceId(row));
    for (int i = offsets.getInt(4 * row); i < offsets.getInt(4 * row + 4); i++) {
      list.addEvent(
          RawEvent.newBuilder()
              .setDeviceId(batch.getDeviceId(row))
              .setTime(little(batch.getTimes()).getLong(8 * i))
              .setSensor1(little(batch.getSensor1()).getFloat(4 * i))
              .setSensor2(little(batch.getSensor2()).getFloat(4 * i))
              .setSensor3(little(batch.getSensor3()).getFloat(4 * i))
              .setSensor4(little(batch.getSensor4()).getFloat(4 * i)));
    }
    return list.build();
  }

  static ByteBuffer little(ByteString bytes) {
    return bytes.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }
}

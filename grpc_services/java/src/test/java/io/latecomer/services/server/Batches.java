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
    long[] starts = new long[sizes.length];
    long[] ends = new long[sizes.length];
    int rows = 0;
    for (int row = 0; row < sizes.length; row++) {
      starts[row] = rows;
      rows += sizes[row];
      ends[row] = rows;
      batch.addEvaluationId("d" + row + "/0/0").addDeviceId("d" + row);
    }
    long[] times = random.longs(rows, 0, 1L << 40).sorted().toArray();
    return batch
        .setStarts(uint32(starts))
        .setEnds(uint32(ends))
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
    int start = little(batch.getStarts()).getInt(4 * row);
    int end = little(batch.getEnds()).getInt(4 * row);
    RawEventList.Builder list = RawEventList.newBuilder().setDeviceId(batch.getDeviceId(row));
    for (int i = start; i < end; i++) {
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

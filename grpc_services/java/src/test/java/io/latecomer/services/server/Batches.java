package io.latecomer.services.server;

import com.google.protobuf.ByteString;
import io.grpc.examples.ml.RawEvent;
import io.grpc.examples.ml.RawEventList;
import io.latecomer.services.columns.ColumnMemory;
import io.latecomer.services.rules.Sensors;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.WindowBatch;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Random;

/** Requests for tests: windows of random readings, as a batch and as the original demo's lists. */
final class Batches {
  private static final FeatureRules RULES = rules(Sensors.DEMO, 1 << 26);

  private Batches() {}

  /** Those of a server whose columns may hold so much. */
  static FeatureRules rules(Sensors sensors, long columnBytes) {
    return new FeatureRules(sensors, new ColumnMemory(sensors, columnBytes, columnBytes));
  }

  /** What a server for the original demo's sensors answers to a call. */
  static FeatureBatch features(WindowBatch batch) {
    return RULES.answer(batch);
  }

  static List<String> errors(FeatureBatch answer) {
    return answer.getErrorList().stream()
        .map(error -> error.getRow() + " " + error.getCode() + " " + error.getMessage())
        .toList();
  }

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

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Windows of the sizes given, each in a column of its own, which is dropped at the end: the same
   * may be asked on a stream again.
   */
  static WindowBatch random(Random random, int... sizes) {
    Requests requests = Requests.about(Sensors.DEMO);
    for (int row = 0; row < sizes.length; row++) {
      requests.define(row, Math.max(sizes[row], 1)).drop(row);
      requests.append(row, rows(random, sizes[row], 4)).ask(row, 0, sizes[row]);
    }
    return requests.build();
  }

  /** Rows of random readings of random magnitudes. */
  static float[][] rows(Random random, int count, int width) {
    float[][] rows = new float[count][width];
    for (float[] row : rows) {
      for (int i = 0; i < width; i++) {
        row[i] = (float) (random.nextGaussian() * Math.pow(10, random.nextInt(20) - 10));
      }
    }
    return rows;
  }

  /** What the original demo sends of such rows. */
  static RawEventList list(float[][] rows, int start, int end) {
    RawEventList.Builder list = RawEventList.newBuilder().setDeviceId("d");
    for (int i = start; i < end; i++) {
      list.addEvent(
          RawEvent.newBuilder()
              .setSensor1(rows[i][0])
              .setSensor2(rows[i][1])
              .setSensor3(rows[i][2])
              .setSensor4(rows[i][3]));
    }
    return list.build();
  }

  static ByteBuffer little(ByteString bytes) {
    return bytes.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }
}

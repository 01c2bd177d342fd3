package io.latecomer.services.server;

import com.google.protobuf.UnsafeByteOperations;
import io.grpc.Context;
import io.grpc.Status;
import io.latecomer.services.rules.ExactMean;
import io.latecomer.services.rules.LogisticRegression;
import io.latecomer.services.rules.NumberText;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.FeatureMatrix;
import io.latecomer.services.wire.RequestError;
import io.latecomer.services.wire.WindowColumns;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.PredictionBatch;
import io.latecomer.v1.RowError;
import io.latecomer.v1.WindowBatch;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One answer for one batch: a row for each row asked about, in the same order; a row can fail
 * alone.
 */
final class BatchRules {
  /** How many rows are answered before somebody asks whether the caller is still there. */
  private static final int ROWS_BETWEEN_LOOKS = 256;

  private BatchRules() {}

  /**
   * The features of many windows: rows x 4 float32, in the sensors' units; a failed row holds
   * zeros.
   *
   * @throws RequestError if the batch cannot be taken apart into rows
   */
  static FeatureBatch features(WindowBatch batch) {
    WindowColumns windows = new WindowColumns(batch);
    int names = Sensors.FEATURES.size();
    byte[] values = new byte[Math.multiplyExact(windows.rows(), names * Float.BYTES)];
    ByteBuffer buffer = ByteBuffer.wrap(values).order(ByteOrder.LITTLE_ENDIAN);
    FeatureBatch.Builder answer =
        FeatureBatch.newBuilder()
            .addAllEvaluationId(batch.getEvaluationIdList())
            .addAllDeviceId(batch.getDeviceIdList())
            .addAllName(Sensors.FEATURES);
    float[] means = new float[names];
    for (int row = 0; row < windows.rows(); row++) {
      stopIfCancelled(row);
      String fault = means(windows, row, means);
      if (fault != null) {
        answer.addError(error(row, fault));
        continue;
      }
      buffer.position(row * names * Float.BYTES);
      for (float mean : means) {
        buffer.putFloat(mean);
      }
    }
    return answer.setValues(UnsafeByteOperations.unsafeWrap(values)).build();
  }

  private static String means(WindowColumns windows, int row, float[] means) {
    String fault = windows.fault(row);
    for (int sensor = 0; fault == null && sensor < means.length; sensor++) {
      means[sensor] = ExactMean.of(windows.sensor(sensor), windows.start(row), windows.end(row));
      if (Float.isNaN(means[sensor])) {
        fault = Sensors.fault(sensor, windows.sensor(sensor), windows.start(row));
      }
    }
    return fault;
  }

  /**
   * The predictions of many rows of features; a failed row holds an empty string.
   *
   * @throws RequestError if the batch is no matrix, or a feature of the model is missing or
   *     repeated
   */
  static PredictionBatch predictions(FeatureBatch batch) {
    FeatureMatrix matrix = new FeatureMatrix(batch, LogisticRegression.FEATURES);
    PredictionBatch.Builder answer =
        PredictionBatch.newBuilder()
            .addAllEvaluationId(batch.getEvaluationIdList())
            .setModelId(LogisticRegression.ID)
            .addKey(LogisticRegression.RESULT);
    for (int row = 0; row < matrix.rows(); row++) {
      stopIfCancelled(row);
      float[] features = matrix.row(row);
      String fault = matrix.fault(row, features);
      if (fault == null) {
        answer.addValue(NumberText.general(LogisticRegression.probability(features)));
      } else {
        answer.addValue("").addError(error(row, fault));
      }
    }
    return answer.build();
  }

  private static RowError error(int row, String fault) {
    return RowError.newBuilder()
        .setRow(row)
        .setCode(Status.Code.INVALID_ARGUMENT.value())
        .setMessage(fault)
        .build();
  }

  /** Past its deadline, or given up by its caller, a call is not worth another row. */
  private static void stopIfCancelled(int row) {
    if (row % ROWS_BETWEEN_LOOKS == 0 && Context.current().isCancelled()) {
      throw Status.CANCELLED.asRuntimeException();
    }
  }
}

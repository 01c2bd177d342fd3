package io.latecomer.services.server;

import io.grpc.Status;
import io.latecomer.services.rules.LogisticRegression;
import io.latecomer.services.rules.NumberText;
import io.latecomer.services.wire.FeatureMatrix;
import io.latecomer.services.wire.RequestError;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.InferenceServiceDescription;
import io.latecomer.v1.PredictionBatch;
import io.latecomer.v1.RowError;

/**
 * The predictions of rows of features: a row for each row asked about, in the same order; a row can
 * fail alone.
 */
final class PredictionRules {
  private PredictionRules() {}

  static InferenceServiceDescription description() {
    return InferenceServiceDescription.newBuilder()
        .setModelId(LogisticRegression.ID)
        .addAllFeature(LogisticRegression.FEATURES)
        .addResult(LogisticRegression.RESULT)
        .build();
  }

  /**
   * The predictions of many rows of features; a failed row holds an empty string.
   *
   * @throws RequestError if the batch is no matrix, or a feature of the model is missing or
   *     repeated
   */
  static PredictionBatch answer(FeatureBatch batch) {
    FeatureMatrix matrix = new FeatureMatrix(batch, LogisticRegression.FEATURES);
    PredictionBatch.Builder answer =
        PredictionBatch.newBuilder()
            .setRows(matrix.rows())
            .setModelId(LogisticRegression.ID)
            .addKey(LogisticRegression.RESULT);
    for (int row = 0; row < matrix.rows(); row++) {
      Answers.stopIfCancelled(row);
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
}

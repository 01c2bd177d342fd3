package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.examples.ml.Feature;
import io.grpc.examples.ml.FeatureList;
import io.grpc.examples.ml.Prediction;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.RequestError;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.PredictionBatch;
import io.latecomer.v1.RowError;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class PredictionsTest {
  private static FeatureList.Builder list(float... values) {
    FeatureList.Builder list = FeatureList.newBuilder().setDeviceId("d1");
    for (int i = 0; i < values.length; i++) {
      list.addFeature(
          Feature.newBuilder().setName("sensor_" + (i + 1) + "/v1").setValue(values[i]));
    }
    return list;
  }

  private static String refusal(FeatureList.Builder list) {
    return assertThrows(RequestError.class, () -> OriginalRules.prediction(list.build()))
        .getMessage();
  }

  private static FeatureBatch.Builder batch(int rows, float... values) {
    FeatureBatch.Builder batch = FeatureBatch.newBuilder();
    batch.addAllName(Sensors.DEMO.features());
    return batch.setRows(rows).setValues(Batches.floats(values));
  }

  private static String refusal(FeatureBatch.Builder batch) {
    return assertThrows(RequestError.class, () -> PredictionRules.answer(batch.build()))
        .getMessage();
  }

  @Test
  void thePredictionOfTheOriginalDemoHasTheCorrectScore() {
    Prediction prediction =
        OriginalRules.prediction(list(0.48174313f, 0.50363654f, 0.50414276f, 0.49269974f).build());
    assertEquals("log_reg_model/v1", prediction.getModelId());
    assertEquals("d1", prediction.getDeviceId());
    assertEquals(Map.of("logistic_regression_result", "0.515127767"), prediction.getResultMap());
  }

  @Test
  void featuresMayComeInAnyOrderAmongOthers() {
    FeatureList.Builder reversed = FeatureList.newBuilder();
    reversed.addFeature(Feature.newBuilder().setName("other/v1").setValue(Float.NaN));
    for (int i = 3; i >= 0; i--) {
      reversed.addFeature(list(1, 2, 3, 4).getFeature(i));
    }
    assertEquals(
        OriginalRules.prediction(list(1, 2, 3, 4).build()).getResultMap(),
        OriginalRules.prediction(reversed.build()).getResultMap());
  }

  @Test
  void aFeatureThatIsMissingRepeatedOrNotFiniteIsNamed() {
    assertEquals("feature: sensor_4/v1 is missing", refusal(list(1, 2, 3)));
    assertEquals(
        "feature: sensor_2/v1 is repeated",
        refusal(list(1, 2, 3, 4).addFeature(list(1, 2).getFeature(1))));
    assertEquals("feature: sensor_3/v1 is not finite", refusal(list(1, 2, Float.NaN, 4)));
    assertEquals("feature: sensor_4/v1 is missing", refusal(list(Float.NEGATIVE_INFINITY, 2, 3)));
  }

  @Test
  void everyRowOfABatchIsWhatTheOriginalCallAnswers() {
    Random random = new Random(3);
    float[] values = new float[4 * 500];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() * Math.pow(10, random.nextInt(6) - 3));
    }
    PredictionBatch answer = PredictionRules.answer(batch(500, values).build());
    assertEquals("log_reg_model/v1", answer.getModelId());
    assertEquals(500, answer.getRows());
    assertEquals(List.of("logistic_regression_result"), answer.getKeyList());
    for (int row = 0; row < 500; row++) {
      float[] alone = Arrays.copyOfRange(values, 4 * row, 4 * row + 4);
      assertEquals(
          OriginalRules.prediction(list(alone).build())
              .getResultMap()
              .get("logistic_regression_result"),
          answer.getValue(row));
    }
  }

  @Test
  void aRowThatIsNotFiniteOrFailedBeforeFailsAlone() {
    float[] values = {1, 2, 3, 4, 1, Float.POSITIVE_INFINITY, 3, 4, 0, 0, 0, 0, 1, 2, 3, 4};
    RowError before = RowError.newBuilder().setRow(2).setCode(3).build();
    PredictionBatch answer = PredictionRules.answer(batch(4, values).addError(before).build());
    assertEquals(
        List.of(
            "1 3 feature: sensor_2/v1 is not finite",
            "2 3 error: this row failed before, it holds no features"),
        answer.getErrorList().stream()
            .map(error -> error.getRow() + " " + error.getCode() + " " + error.getMessage())
            .toList());
    assertEquals(List.of("", ""), answer.getValueList().subList(1, 3));
    assertEquals(answer.getValue(0), answer.getValue(3));
  }

  @Test
  void aBatchThatIsNoMatrixIsRefusedWhole() {
    assertEquals(
        "values: 12 bytes are not 1 rows of 4 names, float32, 16 bytes",
        refusal(batch(1, 1, 2, 3)));
    assertEquals("feature: sensor_1/v1 is missing", refusal(FeatureBatch.newBuilder()));
    assertEquals(
        "feature: sensor_3/v1 is repeated",
        refusal(batch(1, 1, 2, 3, 4, 5).addName("sensor_3/v1")));
    assertEquals("rows: 65537, a request may have 65536", refusal(batch(65_537)));
    assertEquals("rows: 4294967295, a request may have 65536", refusal(batch(-1)));
    assertEquals(
        "error: row 7 of 1",
        refusal(batch(1, 1, 2, 3, 4).addError(RowError.newBuilder().setRow(7))));
  }
}

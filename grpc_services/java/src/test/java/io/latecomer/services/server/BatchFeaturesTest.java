package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.ByteString;
import io.grpc.Context;
import io.grpc.StatusRuntimeException;
import io.grpc.examples.ml.FeatureList;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.RequestError;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.WindowBatch;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class BatchFeaturesTest {
  private final Random random = new Random(4);

  /** Three windows of 2, 3 and 1 events with small readings. */
  private static WindowBatch.Builder three() {
    return Batches.random(new Random(1), 2, 3, 1).toBuilder();
  }

  private static List<String> errors(WindowBatch.Builder batch) {
    return BatchRules.features(batch.build()).getErrorList().stream()
        .map(error -> error.getRow() + " " + error.getCode() + " " + error.getMessage())
        .toList();
  }

  private static String refusal(WindowBatch.Builder batch) {
    WindowBatch request = batch.build();
    return assertThrows(RequestError.class, () -> BatchRules.features(request)).getMessage();
  }

  @Test
  void everyRowOfABatchIsWhatTheOriginalCallAnswers() {
    int[] sizes = random.ints(200, 1, 60).toArray();
    WindowBatch batch = Batches.random(random, sizes);
    FeatureBatch answer = BatchRules.features(batch);
    assertEquals(batch.getEvaluationIdList(), answer.getEvaluationIdList());
    assertEquals(batch.getDeviceIdList(), answer.getDeviceIdList());
    assertEquals(Sensors.FEATURES, answer.getNameList());
    assertEquals(0, answer.getErrorCount());
    for (int row = 0; row < sizes.length; row++) {
      FeatureList alone = OriginalRules.features(Batches.list(batch, row));
      for (int i = 0; i < 4; i++) {
        assertEquals(Sensors.FEATURES.get(i), alone.getFeature(i).getName());
        float inBatch = Batches.little(answer.getValues()).getFloat(4 * (4 * row + i));
        assertEquals(alone.getFeature(i).getValue(), inBatch);
      }
    }
  }

  @Test
  void anEmptyBatchIsAnsweredByAnEmptyOne() {
    FeatureBatch answer = BatchRules.features(WindowBatch.getDefaultInstance());
    assertEquals(0, answer.getEvaluationIdCount());
    assertEquals(ByteString.EMPTY, answer.getValues());
  }

  @Test
  void aReadingThatIsNotFiniteFailsItsRowAlone() {
    WindowBatch.Builder batch = three().setSensor3(Batches.floats(1, 2, 3, Float.NaN, 5, 6));
    FeatureBatch answer = BatchRules.features(batch.build());
    assertEquals(List.of("1 3 sensor3: not finite in event 1 of the window"), errors(batch));
    FeatureBatch whole = BatchRules.features(three().build());
    ByteString values = answer.getValues();
    assertEquals(ByteString.copyFrom(new byte[16]), values.substring(16, 32));
    assertEquals(whole.getValues().substring(0, 8), values.substring(0, 8));
    assertEquals(whole.getValues().substring(32, 40), values.substring(32, 40));
  }

  @Test
  void windowsThatShareReadingsAreAnsweredAsIfTheyDidNot() {
    WindowBatch.Builder batch =
        three().setStarts(Batches.uint32(0, 1, 0)).setEnds(Batches.uint32(6, 4, 6));
    FeatureBatch answer = BatchRules.features(batch.build());
    assertEquals(List.of(), errors(batch));
    for (int row = 0; row < 3; row++) {
      FeatureList alone = OriginalRules.features(Batches.list(batch.build(), row));
      for (int i = 0; i < 4; i++) {
        float inBatch = Batches.little(answer.getValues()).getFloat(4 * (4 * row + i));
        assertEquals(alone.getFeature(i).getValue(), inBatch);
      }
    }
  }

  @Test
  void aReadingThatIsNotFiniteFailsEachRowThatHoldsIt() {
    WindowBatch.Builder batch =
        three()
            .setStarts(Batches.uint32(0, 3, 4))
            .setEnds(Batches.uint32(6, 4, 6))
            .setSensor1(Batches.floats(1, 2, 3, Float.NEGATIVE_INFINITY, 5, 6));
    assertEquals(
        List.of(
            "0 3 sensor1: not finite in event 3 of the window",
            "1 3 sensor1: not finite in event 0 of the window"),
        errors(batch));
  }

  @Test
  void aWindowWithNoEventFailsAlone() {
    assertEquals(
        List.of("1 3 event: the window holds no event", "2 3 event: the window holds no event"),
        errors(three().setEnds(Batches.uint32(2, 2, 1))));
  }

  @Test
  void aWindowThatEndsBehindTheColumnsFailsAlone() {
    assertEquals(
        List.of(
            "0 3 ends: the window ends at 4294967295, out of range: the columns hold 6 values",
            "2 3 ends: the window ends at 7, out of range: the columns hold 6 values"),
        errors(three().setEnds(Batches.uint32(4294967295L, 5, 7))));
  }

  @Test
  void aBatchThatIsNotRowsIsRefusedWhole() {
    assertEquals(
        "device_id: 4 values, evaluation_id has 3", refusal(three().addDeviceId("one more")));
    assertEquals(
        "starts: 11 bytes are not 3 uint32, one for each window",
        refusal(three().setStarts(ByteString.copyFrom(new byte[11]))));
    assertEquals(
        "ends: 16 bytes are not 3 uint32, one for each window",
        refusal(three().setEnds(Batches.uint32(1, 2, 3, 4))));
    assertEquals(
        "sensor2: 20 bytes are not 6 float32, one for each event",
        refusal(three().setSensor2(Batches.floats(1, 2, 3, 4, 5))));
    assertEquals(
        "times: 47 bytes are not 5 int64, one for each event",
        refusal(three().setTimes(ByteString.copyFrom(new byte[47]))));
  }

  @Test
  void moreRowsThanARequestMayHaveAreRefused() {
    WindowBatch.Builder batch = WindowBatch.newBuilder();
    for (int row = 0; row <= 65_536; row++) {
      batch.addEvaluationId("").addDeviceId("");
    }
    assertEquals("evaluation_id: 65537 rows, a request may have 65536", refusal(batch));
  }

  @Test
  void aCallThatWasGivenUpIsNotAnswered() {
    Context.CancellableContext context = Context.current().withCancellation();
    context.cancel(null);
    WindowBatch batch = three().build();
    context.run(() -> assertThrows(StatusRuntimeException.class, () -> BatchRules.features(batch)));
  }
}

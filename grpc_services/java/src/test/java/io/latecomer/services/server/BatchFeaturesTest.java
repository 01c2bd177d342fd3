package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.ByteString;
import io.grpc.Context;
import io.grpc.StatusRuntimeException;
import io.grpc.examples.ml.FeatureList;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.InvalidRequest;
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
    return assertThrows(InvalidRequest.class, () -> BatchRules.features(request)).getMessage();
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
    FeatureBatch answer =
        BatchRules.features(WindowBatch.newBuilder().setOffsets(Batches.uint32(0)).build());
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
  void aWindowWithNoEventFailsAlone() {
    assertEquals(
        List.of("1 3 offsets: the window holds no event"),
        errors(three().setOffsets(Batches.uint32(0, 2, 2, 6))));
  }

  @Test
  void offsetsThatGoBackFailTheirRow() {
    assertEquals(
        List.of(
            "1 3 offsets: the window goes back, from 4 to 2",
            "2 3 offsets: the window goes back, from 4 to 2"),
        errors(three().setOffsets(Batches.uint32(0, 4, 2, 6))));
  }

  @Test
  void offsetsOutOfRangeFailTheRowsThatTouchThem() {
    assertEquals(
        List.of(
            "0 3 offsets: the window ends at 4294967295, out of range: the columns hold 6 values",
            "1 3 offsets: the window goes back, from 4294967295 to 5"),
        errors(three().setOffsets(Batches.uint32(0, 4294967295L, 5, 6))));
  }

  @Test
  void aFirstOffsetAboveZeroFailsTheFirstRow() {
    assertEquals(
        List.of("0 3 offsets: the first is 1, not 0"),
        errors(three().setOffsets(Batches.uint32(1, 2, 5, 6))));
  }

  @Test
  void aShortColumnFailsTheRowsThatNeedItsEnd() {
    assertEquals(
        List.of("2 3 sensor2: 5 values, the window ends at 6"),
        errors(three().setSensor2(Batches.floats(1, 2, 3, 4, 5))));
    assertEquals(3, errors(three().setTimes(ByteString.EMPTY)).size());
  }

  @Test
  void bytesBehindTheLastWindowFailTheLastRow() {
    assertEquals(
        List.of("2 3 sensor4: 7 values, the last window ends at 6"),
        errors(three().setSensor4(Batches.floats(1, 2, 3, 4, 5, 6, 7))));
    ByteString odd = Batches.floats(1, 2, 3, 4, 5, 6).concat(ByteString.copyFromUtf8("x"));
    assertEquals(
        List.of("2 3 sensor1: 25 bytes are not a whole number of float32"),
        errors(three().setSensor1(odd)));
  }

  @Test
  void aBatchThatIsNotRowsIsRefusedWhole() {
    assertEquals(
        "device_id: 4 values, evaluation_id has 3", refusal(three().addDeviceId("one more")));
    assertEquals(
        "offsets: 15 bytes are not 4 uint32, one more than there are windows",
        refusal(three().setOffsets(ByteString.copyFrom(new byte[15]))));
    assertEquals(
        "offsets: 0 bytes are not 1 uint32, one more than there are windows",
        refusal(WindowBatch.newBuilder()));
    assertEquals(
        "times: there is no window for these values",
        refusal(WindowBatch.newBuilder().setOffsets(Batches.uint32(0)).setTimes(Batches.int64(1))));
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

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
  private static final Sensors OTHERS = Sensors.parsed("temperature,door?");

  private final Random random = new Random(4);
  private final FeatureRules others = Batches.rules(OTHERS, 0);

  /** One column of six events, no window yet. */
  private static Requests six(float... sensor3) {
    float[][] rows = Batches.rows(new Random(1), 6, 4);
    for (int i = 0; i < sensor3.length; i++) {
      rows[i][2] = sensor3[i];
    }
    return Requests.about(Sensors.DEMO).define(7, 6).append(7, rows);
  }

  private static List<String> errors(Requests requests) {
    return Batches.errors(Batches.features(requests.build()));
  }

  private static void assertRow(FeatureList alone, FeatureBatch answer, int row) {
    for (int i = 0; i < 4; i++) {
      assertEquals(answer.getName(i), alone.getFeature(i).getName());
      float inBatch = Batches.little(answer.getValues()).getFloat(4 * (4 * row + i));
      assertEquals(alone.getFeature(i).getValue(), inBatch);
    }
  }

  private static FeatureList alone(float[][] rows, int start, int end) {
    return OriginalRules.features(Batches.list(rows, start, end), Sensors.DEMO);
  }

  @Test
  void everyRowOfABatchIsWhatTheOriginalCallAnswers() {
    Requests requests = Requests.about(Sensors.DEMO);
    float[][][] windows = new float[200][][];
    for (int row = 0; row < windows.length; row++) {
      windows[row] = Batches.rows(random, 1 + random.nextInt(59), 4);
      requests.define(row, 59).append(row, windows[row]).ask(row, 0, windows[row].length);
    }
    FeatureBatch answer = Batches.features(requests.build());
    assertEquals(200, answer.getRows());
    assertEquals(Sensors.DEMO.features(), answer.getNameList());
    assertEquals(0, answer.getErrorCount());
    for (int row = 0; row < windows.length; row++) {
      assertRow(alone(windows[row], 0, windows[row].length), answer, row);
    }
  }

  @Test
  void anEmptyBatchIsAnsweredByAnEmptyOne() {
    FeatureBatch answer = Batches.features(Requests.about(Sensors.DEMO).build());
    assertEquals(0, answer.getRows());
    assertEquals(ByteString.EMPTY, answer.getValues());
  }

  @Test
  void aReadingThatIsNotFiniteFailsItsRowAlone() {
    Requests requests = six(1, 2, 3, Float.NaN, 5, 6).ask(7, 0, 2).ask(7, 2, 5).ask(7, 5, 6);
    FeatureBatch answer = Batches.features(requests.build());
    assertEquals(
        List.of("1 3 sensor3: not finite in event 1 of the window"), Batches.errors(answer));
    ByteString values = answer.getValues();
    assertEquals(ByteString.copyFrom(new byte[16]), values.substring(16, 32));
    ByteString whole =
        Batches.features(six(1, 2, 3, 4, 5, 6).ask(7, 0, 2).ask(7, 2, 5).ask(7, 5, 6).build())
            .getValues();
    assertEquals(whole.substring(0, 16), values.substring(0, 16));
    assertEquals(whole.substring(32, 48), values.substring(32, 48));
  }

  @Test
  void windowsThatShareReadingsAreAnsweredAsIfTheyDidNot() {
    float[][] rows = Batches.rows(random, 6, 4);
    Requests requests = Requests.about(Sensors.DEMO).define(1, 9).append(1, rows);
    FeatureBatch answer = Batches.features(requests.ask(1, 0, 6).ask(1, 1, 4).ask(1, 0, 6).build());
    assertEquals(List.of(), Batches.errors(answer));
    assertRow(alone(rows, 0, 6), answer, 0);
    assertRow(alone(rows, 1, 4), answer, 1);
    assertRow(alone(rows, 0, 6), answer, 2);
  }

  @Test
  void aWindowWithNoEventOrOutsideOfItsColumnFailsAlone() {
    assertEquals(
        List.of(
            "0 3 event: the window holds no event",
            "2 3 event: the window holds no event",
            "3 3 ends: the window ends at 4294967295, out of range: the column holds 6 rows",
            "4 3 ends: the window ends at 7, out of range: the column holds 6 rows"),
        errors(
            six()
                .ask(7, 2, 2)
                .ask(7, 2, 3)
                .ask(7, 4294967295L, 1)
                .ask(7, 0, 4294967295L)
                .ask(7, 6, 7)));
  }

  @Test
  void anAbsentReadingIsLeftOutOfTheMean() {
    float[][] rows = {{1, Float.NaN}, {2, 5}, {3, Float.intBitsToFloat(0xffc12345)}};
    FeatureBatch answer =
        others.answer(
            Requests.about(OTHERS).define(0, 3).append(0, rows).ask(0, 0, 3).ask(0, 2, 3).build());
    assertEquals(List.of("mean_temperature/v1", "mean_door/v1"), answer.getNameList());
    assertEquals(List.of("1 3 door: no reading in the window"), Batches.errors(answer));
    assertEquals(Batches.floats(2, 5, 0, 0), answer.getValues());
  }

  @Test
  void aRequiredReadingIsNeverNaNAndAnOptionalOneNeverInfinite() {
    float[][] rows = {{1, Float.NaN}, {Float.NaN, Float.POSITIVE_INFINITY}};
    Requests requests = Requests.about(OTHERS).define(0, 3).append(0, rows);
    assertEquals(
        List.of("0 3 temperature: not finite in event 1 of the window"),
        Batches.errors(others.answer(requests.ask(0, 0, 2).build())));
    rows[1][0] = 3;
    requests = Requests.about(OTHERS).define(0, 3).append(0, rows);
    assertEquals(
        List.of("0 3 door: not finite in event 1 of the window"),
        Batches.errors(others.answer(requests.ask(0, 0, 2).build())));
  }

  @Test
  void aRequestAboutOtherSensorsIsRefusedWhole() {
    assertEquals(
        "sensor: the request has sensor1, sensor2, sensor3, sensor4; this server is for"
            + " temperature, door?",
        refusal(others, six().build()));
    assertEquals(
        "sensor: the request has none; this server is for temperature, door?",
        refusal(others, WindowBatch.getDefaultInstance()));
    Sensors required = Sensors.parsed("temperature,door");
    assertEquals(
        "sensor: the request has temperature, door; this server is for temperature, door?",
        refusal(others, Requests.about(required).build()));
    for (int length : new int[] {1_998, 1_999}) { // with ", " between, 2,000 bytes and one more
      List<String> given = List.of("é".repeat(length / 2), "x".repeat(length % 2));
      String shown = length == 1_998 ? String.join(", ", given) : "2 others";
      assertEquals(
          "sensor: the request has " + shown + "; this server is for temperature, door?",
          refusal(others, WindowBatch.newBuilder().addAllSensor(given).build()));
    }
  }

  private static String refusal(FeatureRules rules, WindowBatch batch) {
    return assertThrows(RequestError.class, () -> rules.answer(batch)).getMessage();
  }

  @Test
  void columnsThatAreDerivedInARequestAreBounded() {
    float[] row = {1, 2, 3, 4};
    Requests requests = Requests.about(Sensors.DEMO).define(0, 1);
    for (int i = 1; i < 3_000; i++) { // each holds a row more than the one before
      requests.derive(i, i, i - 1, 0, i - 1, 0, row);
    }
    assertEquals(
        "derived: the columns begin with 16779424 readings in all, those of a request may begin"
            + " with 16777216",
        assertThrows(RequestError.class, () -> Batches.features(requests.build())).getMessage());
  }

  @Test
  void aCallThatWasGivenUpIsNotAnswered() {
    Context.CancellableContext context = Context.current().withCancellation();
    context.cancel(null);
    WindowBatch batch = six().ask(7, 0, 1).build();
    context.run(() -> assertThrows(StatusRuntimeException.class, () -> Batches.features(batch)));
  }
}

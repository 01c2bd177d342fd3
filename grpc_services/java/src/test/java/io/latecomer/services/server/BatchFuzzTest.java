package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.latecomer.services.wire.RequestError;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.PredictionBatch;
import io.latecomer.v1.RowError;
import io.latecomer.v1.WindowBatch;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Mutated batches are answered or refused, by one row each, in bounded time, and by nothing but
 * RequestError.
 */
final class BatchFuzzTest {
  private static final int TRIALS = 20_000;

  private final Random random = new Random(99);
  private int answered;
  private int refused;

  private static ByteString mutated(Random random, ByteString bytes) {
    byte[] copy = bytes.toByteArray();
    int changes = 1 + random.nextInt(4);
    for (int i = 0; i < changes && copy.length > 0; i++) {
      copy[random.nextInt(copy.length)] = (byte) random.nextInt();
    }
    int kind = random.nextInt(4);
    ByteString changed = ByteString.copyFrom(copy);
    if (kind == 0 && copy.length > 0) {
      return changed.substring(0, random.nextInt(copy.length));
    }
    return kind == 1
        ? changed.concat(changed.substring(0, random.nextInt(copy.length + 1)))
        : changed;
  }

  /** The whole message, or one of its columns. */
  private WindowBatch mutated(WindowBatch batch) throws InvalidProtocolBufferException {
    WindowBatch.Builder builder = batch.toBuilder();
    switch (random.nextInt(7)) {
      case 0 -> builder.setStarts(mutated(random, batch.getStarts()));
      case 1 -> builder.setTimes(mutated(random, batch.getTimes()));
      case 2 -> builder.setSensor2(mutated(random, batch.getSensor2()));
      case 3 -> builder.setSensor4(mutated(random, batch.getSensor4()));
      case 4 -> builder.addEvaluationId("one more");
      case 5 -> builder.setEnds(mutated(random, batch.getEnds()));
      default -> {
        return WindowBatch.parseFrom(mutated(random, batch.toByteString()));
      }
    }
    return builder.build();
  }

  private static void assertAscending(List<RowError> errors, int rows) {
    int last = -1;
    for (RowError error : errors) {
      assertTrue(error.getRow() > last && error.getRow() < rows);
      assertEquals(3, error.getCode());
      assertTrue(error.getMessage().matches("(event|ends|sensor[1-4]|feature|error): .+"));
      last = error.getRow();
    }
  }

  private void answerOrRefuse(WindowBatch batch) {
    try {
      FeatureBatch features = BatchRules.features(batch);
      assertEquals(batch.getEvaluationIdList(), features.getEvaluationIdList());
      assertEquals(16 * batch.getEvaluationIdCount(), features.getValues().size());
      assertAscending(features.getErrorList(), features.getEvaluationIdCount());
      PredictionBatch predictions = BatchRules.predictions(features);
      assertEquals(features.getEvaluationIdCount(), predictions.getValueCount());
      assertEquals(features.getErrorCount(), predictions.getErrorCount());
      answered++;
    } catch (RequestError error) {
      refused++;
    }
  }

  @Test
  void mutatedWindowsAreAnsweredOrRefused() {
    assertTimeoutPreemptively(
        Duration.ofMinutes(1),
        () -> {
          for (int trial = 0; trial < TRIALS; trial++) {
            try {
              int[] sizes = random.ints(random.nextInt(6), 1, 8).toArray();
              answerOrRefuse(mutated(Batches.random(random, sizes)));
            } catch (InvalidProtocolBufferException error) {
              refused++; // never reaches the decoder
            }
          }
        });
    assertTrue(answered > TRIALS / 10 && refused > TRIALS / 10, answered + " and " + refused);
  }

  @Test
  void mutatedFeaturesAreAnsweredOrRefused() {
    for (int trial = 0; trial < TRIALS; trial++) {
      FeatureBatch features = BatchRules.features(Batches.random(random, 1, 2, 3));
      try {
        FeatureBatch odd =
            trial % 2 == 0
                ? FeatureBatch.parseFrom(mutated(random, features.toByteString()))
                : features.toBuilder().setValues(mutated(random, features.getValues())).build();
        PredictionBatch predictions = BatchRules.predictions(odd);
        assertEquals(odd.getEvaluationIdCount(), predictions.getValueCount());
        assertAscending(predictions.getErrorList(), odd.getEvaluationIdCount());
        answered++;
      } catch (RequestError | InvalidProtocolBufferException error) {
        refused++;
      }
    }
    assertTrue(answered > TRIALS / 10 && refused > TRIALS / 10, answered + " and " + refused);
  }

  @Test
  void windowsThatOverlapAreReadUpToABound() {
    int events = 170_000;
    assertEquals(0, sharing(events, (1 << 22) / events).getErrorCount());
    assertEquals(
        "ends: the windows hold 10200000000 events in all, those of a request may hold 4194304",
        assertThrows(RequestError.class, () -> sharing(events, 60_000)).getMessage());
  }

  /** The answer to windows that all hold the same events, within seconds. */
  private FeatureBatch sharing(int events, int windows) {
    long[] starts = new long[windows];
    long[] ends = new long[windows];
    Arrays.fill(ends, events);
    WindowBatch.Builder batch =
        Batches.random(random, events).toBuilder().clearEvaluationId().clearDeviceId();
    for (int row = 0; row < windows; row++) {
      batch.addEvaluationId("e").addDeviceId("d");
    }
    batch.setStarts(Batches.uint32(starts)).setEnds(Batches.uint32(ends));
    return assertTimeoutPreemptively(
        Duration.ofSeconds(10), () -> BatchRules.features(batch.build()));
  }
}

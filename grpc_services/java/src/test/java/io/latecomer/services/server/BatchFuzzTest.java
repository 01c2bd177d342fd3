package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import io.latecomer.services.columns.ColumnMemory;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.RequestError;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.PredictionBatch;
import io.latecomer.v1.RowError;
import io.latecomer.v1.WindowBatch;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Mutated batches, on calls and on streams, are answered or refused, by one row each, in bounded
 * time and memory, and by nothing but RequestError.
 */
final class BatchFuzzTest {
  /** {@code python -m tests.fuzz} tries more, and reads what is printed. */
  private static final int TRIALS = Integer.getInteger("fuzz.trials", 20_000);

  private static final Duration LIMIT = Duration.ofMinutes(1).plusMillis(10L * TRIALS);
  private static final long COLUMN_BYTES = 20_000;

  private final Random random = new Random(99);
  private final ColumnMemory memory =
      new ColumnMemory(Sensors.DEMO, COLUMN_BYTES, COLUMN_BYTES / 2);
  private final FeatureRules rules = new FeatureRules(Sensors.DEMO, memory);
  private int answered;
  private int refused;

  private ByteString mutated(ByteString bytes) {
    byte[] copy = bytes.toByteArray();
    int changes = 1 + random.nextInt(4);
    for (int i = 0; i < changes && copy.length > 0; i++) {
      copy[random.nextInt(copy.length)] = (byte) (random.nextInt() >> random.nextInt(32));
    }
    int kind = random.nextInt(6);
    ByteString changed = ByteString.copyFrom(copy);
    if (kind == 0 && copy.length > 0) {
      return changed.substring(0, random.nextInt(copy.length));
    }
    return kind == 1
        ? changed.concat(changed.substring(0, random.nextInt(copy.length + 1)))
        : changed;
  }

  /** Any field of a message changed, whatever its type. */
  private Message mutated(Message message) throws InvalidProtocolBufferException {
    if (random.nextInt(8) == 0) {
      return message.getParserForType().parseFrom(mutated(message.toByteString()));
    }
    Message.Builder builder = message.toBuilder();
    List<FieldDescriptor> fields = message.getDescriptorForType().getFields();
    FieldDescriptor field = fields.get(random.nextInt(fields.size()));
    if (!field.isRepeated()) {
      return builder.setField(field, mutated(field, message.getField(field))).build();
    }
    int count = message.getRepeatedFieldCount(field);
    if (count == 0 || random.nextInt(4) == 0) {
      boolean isMessage = field.getJavaType() == FieldDescriptor.JavaType.MESSAGE;
      Object one = isMessage ? builder.newBuilderForField(field).build() : "one more";
      return builder.addRepeatedField(field, one).build();
    }
    int index = random.nextInt(count);
    Object one = mutated(field, message.getRepeatedField(field, index));
    return builder.setRepeatedField(field, index, one).build();
  }

  private Object mutated(FieldDescriptor field, Object value)
      throws InvalidProtocolBufferException {
    return switch (field.getJavaType()) {
      case BYTE_STRING -> mutated((ByteString) value);
      case INT -> random.nextInt() >> random.nextInt(32);
      case LONG -> random.nextLong();
      case STRING -> value + "?";
      case MESSAGE -> mutated((Message) value);
      default -> throw new AssertionError(field);
    };
  }

  /** Uses every field. */
  private Requests request(Requests request, int first) {
    int columns = 1 + random.nextInt(3);
    for (int i = first; i < first + columns; i++) {
      int rows = 1 + random.nextInt(7);
      request.define(i, rows + random.nextInt(5)).append(i, Batches.rows(random, rows, 4));
      request.ask(i, 0, rows).ask(i, rows - 1, rows).drop(i);
    }
    request.derive(first + 50, 9, first, 0, 0, 0, 1, 2, 3, 4).ask(first + 50, 0, 1);
    return request.derive(first + 60, 9, first + 50, 0, 1).drop(first + 50).drop(first + 60);
  }

  private static void assertAscending(List<RowError> errors, int rows) {
    int last = -1;
    for (RowError error : errors) {
      assertTrue(error.getRow() > last && error.getRow() < rows);
      assertEquals(error.getMessage().startsWith("column: ") ? 5 : 3, error.getCode());
      assertTrue(error.getMessage().matches("(event|ends|sensor[1-4]|feature|error|column): .+"));
      last = error.getRow();
    }
  }

  private void assertAnswer(WindowBatch batch, FeatureBatch features) {
    assertEquals(batch.getWindowNumber().size() / 4, features.getRows());
    assertEquals(16 * features.getRows(), features.getValues().size());
    assertAscending(features.getErrorList(), features.getRows());
    PredictionBatch predictions = PredictionRules.answer(features);
    assertEquals(features.getRows(), predictions.getRows());
    assertEquals(features.getRows(), predictions.getValueCount());
    assertEquals(features.getErrorCount(), predictions.getErrorCount());
  }

  @Test
  void mutatedWindowsAreAnsweredOrRefused() {
    assertTimeoutPreemptively(
        LIMIT,
        () -> {
          for (int trial = 0; trial < TRIALS; trial++) {
            try {
              Message request = request(Requests.about(Sensors.DEMO), random.nextInt(3)).build();
              WindowBatch batch = (WindowBatch) mutated(request);
              assertAnswer(batch, rules.answer(batch));
              answered++;
            } catch (RequestError | InvalidProtocolBufferException error) {
              refused++; // the latter never reaches the decoder
            }
          }
        });
    assertTrue(answered > TRIALS / 10 && refused > TRIALS / 10, answered + " and " + refused);
    assertEquals(0, memory.bytes());
    print("request of windows");
  }

  @Test
  void mutatedStreamsAreAnsweredOrRefusedAndGiveTheirMemoryBack() {
    assertTimeoutPreemptively(
        LIMIT,
        () -> {
          for (int trial = 0; trial < TRIALS / 4; trial++) {
            FeatureRules.OfStream stream = rules.stream();
            try {
              answerMutated(stream);
            } catch (RequestError | InvalidProtocolBufferException error) {
              refused++;
            }
            stream.close();
            assertEquals(0, memory.bytes());
          }
        });
    assertTrue(answered > TRIALS / 4 && refused > TRIALS / 10, answered + " and " + refused);
    assertTrue(memory.refused() > 0);
    print("stream of windows");
  }

  private void print(String decoder) {
    System.out.println("fuzz: " + decoder + ": " + (answered + refused) + " tried");
  }

  private void answerMutated(FeatureRules.OfStream stream) throws InvalidProtocolBufferException {
    stream.apply(Requests.about(Sensors.DEMO).define(1_000, 5).build());
    for (int i = 0; i < 20; i++) {
      Requests request = request(Requests.later(), 100 * random.nextInt(4));
      request.define(5_000 + i, 30).derive(7_000 + i, 20 + random.nextInt(50), 5_000 + i, 0, 0);
      request.ask(5_000 + random.nextInt(i + 1), 0, 1).ask(1_000, 0, 1);
      Message message = request.build();
      WindowBatch batch = (WindowBatch) (random.nextInt(3) == 0 ? mutated(message) : message);
      assertAnswer(batch, stream.apply(batch));
      assertTrue(memory.bytes() <= COLUMN_BYTES / 2);
      answered++;
    }
  }

  @Test
  void mutatedFeaturesAreAnsweredOrRefused() {
    for (int trial = 0; trial < TRIALS; trial++) {
      FeatureBatch features = Batches.features(Batches.random(random, 1, 2, 3));
      try {
        FeatureBatch odd = (FeatureBatch) mutated(features);
        PredictionBatch predictions = PredictionRules.answer(odd);
        assertEquals(odd.getRows(), predictions.getValueCount());
        assertAscending(predictions.getErrorList(), odd.getRows());
        answered++;
      } catch (RequestError | InvalidProtocolBufferException error) {
        refused++;
      }
    }
    assertTrue(answered > TRIALS / 10 && refused > TRIALS / 10, answered + " and " + refused);
    print("request of features");
  }

  @Test
  void windowsOfACallThatOverlapAreReadUpToABound() {
    int events = 170_000;
    assertEquals(0, rules.answer(sharing(events, (1 << 22) / events)).getErrorCount());
    WindowBatch more = sharing(events, 60_000);
    assertEquals(
        "ends: the windows hold 10200000000 events in all, those of a request may hold 4194304",
        assertThrows(RequestError.class, () -> rules.answer(more)).getMessage());
  }

  @Test
  void windowsOfAStreamCostNoMoreTheLongerTheyAre() {
    FeatureRules large = Batches.rules(Sensors.DEMO, 1L << 30);
    FeatureBatch answer =
        assertTimeoutPreemptively(
            Duration.ofSeconds(10), () -> large.stream().apply(sharing(170_000, 60_000)));
    assertEquals(0, answer.getErrorCount());
  }

  /** Windows that all hold the same events. */
  private WindowBatch sharing(int events, int windows) {
    Requests request = Requests.about(Sensors.DEMO).define(0, events);
    request.append(0, Batches.rows(random, events, 4));
    for (int row = 0; row < windows; row++) {
      request.ask(0, 0, events);
    }
    return request.build();
  }
}

package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.latecomer.services.columns.ColumnMemory;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.RequestError;
import io.latecomer.v1.FeatureBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** The columns that a stream keeps: what is asked of them is what a call answers. */
final class FeatureStreamTest {
  private static final Sensors SENSORS = Sensors.parsed("a,b?,c");

  /** Of one row: a time, and a reading and a sum for each of three sensors. */
  private static final int ROW_BYTES = 8 + 12 * 3;

  private final Random random = new Random(7);
  private final Map<Integer, List<float[]>> columns = new TreeMap<>();
  private final Map<Integer, Integer> rooms = new TreeMap<>();

  private float[][] rows(int count) {
    float[][] rows = Batches.rows(random, count, 3);
    for (float[] row : rows) {
      row[0] = random.nextInt(200) == 0 ? Float.NaN : row[0];
      row[1] = random.nextInt(4) == 0 ? Float.NaN : row[1];
      row[2] = 20 + random.nextFloat();
    }
    return rows;
  }

  private int unused() {
    int number = random.nextInt(1 << 20);
    return columns.containsKey(number) ? unused() : number;
  }

  private int used() {
    return List.copyOf(columns.keySet()).get(random.nextInt(columns.size()));
  }

  private void add(int number, int room, List<float[]> rows) {
    columns.put(number, new ArrayList<>(rows));
    rooms.put(number, room);
  }

  /** One message: what it says is done to the columns of this test, too. */
  private void change(Requests request) {
    for (int i = random.nextInt(3); i > 0 || columns.isEmpty(); i--) {
      int number = unused();
      int room = 1 + random.nextInt(200);
      request.define(number, room);
      add(number, room, List.of());
    }
    for (int i = random.nextInt(3); i > 0; i--) {
      derive(request);
    }
    for (int number : columns.keySet()) {
      List<float[]> column = columns.get(number);
      int free = rooms.get(number) - column.size();
      if (random.nextBoolean()) {
        float[][] rows = rows(Math.min(free, random.nextInt(30)));
        request.append(number, rows);
        column.addAll(Arrays.asList(rows));
      }
    }
  }

  private void derive(Requests request) {
    int number = unused();
    int source = used();
    List<float[]> from = columns.get(source);
    int start = random.nextInt(from.size() + 1);
    int end = start + random.nextInt(from.size() - start + 1);
    List<float[]> rows = new ArrayList<>(from.subList(start, end));
    int room = rows.size() + 1 + random.nextInt(50);
    if (random.nextBoolean()) {
      int row = random.nextInt(rows.size() + 1);
      rows.add(row, rows(1)[0]);
      request.derive(number, room, source, start, end, row, rows.get(row));
    } else {
      request.derive(number, room, source, start, end);
    }
    add(number, room, rows);
  }

  /** Asks about windows on the stream, and about each of them by a call that brings its rows. */
  private FeatureBatch expected(FeatureRules rules, Requests request) {
    Requests whole = Requests.about(SENSORS);
    for (int row = 0; row < 20; row++) {
      int number = used();
      float[][] rows = columns.get(number).toArray(float[][]::new);
      int start = random.nextInt(rows.length + 1);
      int end = start + random.nextInt(rows.length - start + 1);
      request.ask(number, start, end);
      whole.define(row, Math.max(end - start, 1));
      whole.append(row, Arrays.copyOfRange(rows, start, end)).ask(row, 0, end - start);
    }
    return rules.answer(whole.build());
  }

  @Test
  void whatIsAskedOnAStreamIsWhatACallAnswers() {
    FeatureRules rules = Batches.rules(SENSORS, 1 << 26);
    for (int trial = 0; trial < 60; trial++) {
      columns.clear();
      FeatureRules.OfStream stream = rules.stream();
      Requests request = Requests.about(SENSORS);
      for (int message = 0; message < 30; message++) {
        change(request);
        FeatureBatch expected = expected(rules, request);
        for (int i = random.nextInt(2); i > 0; i--) {
          int number = used();
          request.drop(number);
          columns.remove(number);
        }
        assertEquals(expected, stream.apply(request.build()));
        request = Requests.later();
      }
      stream.close();
    }
  }

  @Test
  void whereThereIsNoRoomAWindowIsNotFoundAndNothingElseChanges() {
    ColumnMemory memory = new ColumnMemory(SENSORS, 300 * ROW_BYTES, 200 * ROW_BYTES);
    FeatureRules rules = new FeatureRules(SENSORS, memory);
    FeatureRules.OfStream stream = rules.stream();
    float[][] rows = {{1, 2, 3}};
    FeatureBatch answer =
        stream.apply(
            Requests.about(SENSORS)
                .define(1, 150)
                .define(2, 51)
                .define(3, 50)
                .derive(4, 9, 2, 0, 5, 2, 1, 1, 1)
                .append(1, rows)
                .append(2, rows)
                .append(3, rows)
                .append(4, rows)
                .ask(1, 0, 1)
                .ask(2, 0, 1)
                .ask(3, 0, 1)
                .ask(4, 7, 3)
                .drop(2)
                .build());
    assertEquals(
        List.of("1 5 column: 2 is not held", "3 5 column: 4 is not held"), Batches.errors(answer));
    assertEquals(Batches.floats(1, 2, 3, 0, 0, 0, 1, 2, 3, 0, 0, 0), answer.getValues());
    assertEquals(200 * ROW_BYTES, memory.bytes());
    assertEquals(1, memory.refused()); // what is derived from nothing needed no room
    FeatureRules.OfStream other = rules.stream();
    answer = other.apply(Requests.about(SENSORS).define(1, 100).define(2, 6).ask(2, 0, 1).build());
    assertEquals(List.of("0 5 column: 2 is not held"), Batches.errors(answer));
    stream.apply(Requests.later().drop(1).drop(4).build());
    assertEquals(150 * ROW_BYTES, memory.bytes());
    answer =
        other.apply(Requests.later().drop(2).define(3, 100).append(3, rows).ask(3, 0, 1).build());
    assertEquals(List.of(), Batches.errors(answer));
    other.close();
    other.close();
    stream.close();
    assertEquals(0, memory.bytes());
  }

  @Test
  void aColumnWithHardlyAnyRoomCountsAllTheSame() {
    ColumnMemory memory = new ColumnMemory(SENSORS, 2_560, 2_560);
    FeatureRules.OfStream stream = new FeatureRules(SENSORS, memory).stream();
    Requests request = Requests.about(SENSORS);
    for (int number = 0; number < 1_000; number++) {
      request.define(number, 1);
    }
    stream.apply(request.build());
    assertEquals(2_560, memory.bytes());
    assertEquals(990, memory.refused());
  }

  @Test
  void aServerWithoutMemoryForColumnsAnswersAllTheSame() {
    FeatureRules.OfStream stream = Batches.rules(SENSORS, 0).stream();
    FeatureBatch answer =
        stream.apply(Requests.about(SENSORS).define(0, 1).ask(0, 0, 1).drop(0).build());
    assertEquals(List.of("0 5 column: 0 is not held"), Batches.errors(answer));
  }

  @Test
  void aDroppedNumberMayBeUsedAgain() {
    FeatureRules.OfStream stream = Batches.rules(SENSORS, 1 << 20).stream();
    float[][] rows = {{1, 2, 3}, {4, 5, 6}};
    stream.apply(Requests.about(SENSORS).define(8, 2).append(8, rows).drop(8).build());
    FeatureBatch answer =
        stream.apply(Requests.later().define(8, 2).append(8, rows[1]).ask(8, 0, 2).build());
    assertEquals(
        List.of("0 3 ends: the window ends at 2, out of range: the column holds 1 rows"),
        Batches.errors(answer));
  }

  @Test
  void theSensorsStandInTheFirstMessageOfAStreamOnly() {
    FeatureRules.OfStream stream = Batches.rules(SENSORS, 1 << 20).stream();
    stream.apply(Requests.about(SENSORS).build());
    stream.apply(Requests.later().build());
    assertEquals(
        "sensor: only the first message of a stream has sensors",
        assertThrows(RequestError.class, () -> stream.apply(Requests.about(SENSORS).build()))
            .getMessage());
    FeatureRules.OfStream other = Batches.rules(SENSORS, 1 << 20).stream();
    assertEquals(
        "sensor: the request has none; this server is for a, b?, c",
        assertThrows(RequestError.class, () -> other.apply(Requests.later().build())).getMessage());
  }
}

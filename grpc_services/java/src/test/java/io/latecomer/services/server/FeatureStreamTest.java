package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.latecomer.services.columns.ColumnMemory;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.RequestError;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.WindowBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aRequestThatCannotBeCarriedOutIsRefusedWhole(boolean byStream) {
    float[][] one = {{1, 2, 3}};
    Map<String, Requests> requests = new TreeMap<>();
    requests.put(
        "number: 1048576 is out of range, a column has a number below 1048576",
        known().define(2, 1).define(1 << 20, 1));
    requests.put("number: column 1 is defined already", known().define(1, 5));
    requests.put("number: column 3 is defined already", known().define(3, 5).define(3, 5));
    requests.put("room: 0 is not from 1 to 4194304", known().define(2, 0));
    requests.put("room: 4194305 is not from 1 to 4194304", known().define(2, 4_194_305));
    requests.put(
        "derived: 4294967295 is out of range, a column has a number below 1048576",
        known().derive(-1, 1, 1, 0, 0));
    requests.put("derived: column 1 is defined already", known().derive(1, 1, 1, 0, 0));
    requests.put("derived: room 0 is not from 1 to 4194304", known().derive(2, 0, 1, 0, 0));
    requests.put("derived: column 9 is not defined", known().derive(2, 1, 9, 0, 0));
    requests.put(
        "derived: rows 3 to 9 are not rows of column 1, which holds 0",
        known().derive(2, 10, 1, 3, 9));
    requests.put(
        "derived: rows 1 to 0 are not rows of column 1, which holds 0",
        known().derive(2, 10, 1, 1, 0));
    requests.put(
        "derived: row 1 is outside the 1 rows of column 2",
        known().derive(2, 10, 1, 0, 0, 1, one[0]));
    requests.put(
        "derived: column 3 has room for 1 rows, not for 2",
        known().derive(2, 10, 1, 0, 0, 0, one[0]).derive(3, 1, 2, 0, 1, 1, one[0]));
    requests.put(
        "derived: the readings are 8 bytes, not 3 float32", known().derive(2, 1, 1, 0, 0, 0, 1, 2));
    requests.put("appended_number: column 9 is not defined", known().append(9, one));
    requests.put("appended_number: column 1048576 is not defined", known().append(1 << 20, one));
    requests.put(
        "appended_number: column 1 stands there twice", known().append(1, one).append(1, one));
    requests.put(
        "appended_count: column 1 has room for 5 rows, not for 6",
        known().append(1, one[0], one[0], one[0], one[0], one[0], one[0]));
    requests.put("window_number: column 9 is not defined", known().ask(1, 0, 1).ask(9, 0, 1));
    requests.put("dropped_number: column 9 is not defined", known().drop(9));
    requests.put("dropped_number: column 1 is not defined", known().drop(1).drop(1));
    requests.forEach((text, request) -> assertEquals(text, refusal(byStream, request.builder())));
    assertTrue(requests.size() > 20);
  }

  private static Requests known() {
    return Requests.about(SENSORS).define(1, 5);
  }

  private static String refusal(boolean byStream, WindowBatch.Builder request) {
    ColumnMemory memory = new ColumnMemory(SENSORS, 1 << 20, 1 << 20);
    FeatureRules rules = new FeatureRules(SENSORS, memory);
    FeatureRules.OfStream stream = rules.stream();
    RequestError error =
        assertThrows(
            RequestError.class,
            () -> {
              if (byStream) {
                stream.apply(request.build());
              } else {
                rules.answer(request.build());
              }
            });
    stream.close();
    assertEquals(0, memory.bytes());
    return error.getMessage();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void lengthsThatDoNotFitAreRefusedWhole(boolean byStream) {
    Map<String, WindowBatch.Builder> requests = new TreeMap<>();
    requests.put(
        "number: 4 bytes are not 2 uint32, one for each device_id",
        known().builder().addDeviceId("d"));
    requests.put(
        "room: 8 bytes are not 1 uint32, one for each device_id",
        known().builder().setRoom(Batches.uint32(1, 2)));
    requests.put(
        "appended_number: 7 bytes are not 1 uint32",
        known().builder().setAppendedNumber(Batches.uint32(1, 2).substring(1)));
    requests.put(
        "appended_count: 0 bytes are not 1 uint32, one for each appended_number",
        known().builder().setAppendedNumber(Batches.uint32(1)));
    requests.put(
        "times: 8 bytes are not 4294967295 int64, one for each row",
        known().append(1, new float[3]).builder().setAppendedCount(Batches.uint32(-1)));
    requests.put(
        "readings: 16 bytes are not 1 rows of 3 float32",
        known().append(1, new float[4]).builder());
    requests.put(
        "window_number: 65537 windows, a request may have 65536",
        known().builder().setWindowNumber(Batches.uint32(new long[65_537])));
    requests.put(
        "window_number: 9 bytes are not 2 uint32",
        known().builder().setWindowNumber(Batches.uint32(1, 2, 3).substring(3)));
    requests.put(
        "starts: 5 bytes are not 1 uint32, one for each window",
        known().ask(1, 0, 1).builder().setStarts(Batches.uint32(1, 2).substring(3)));
    requests.put(
        "ends: 0 bytes are not 1 uint32, one for each window",
        known().ask(1, 0, 1).builder().clearEnds());
    requests.put(
        "dropped_number: 3 bytes are not 0 uint32",
        known().builder().setDroppedNumber(Batches.uint32(1).substring(1)));
    requests.forEach((text, request) -> assertEquals(text, refusal(byStream, request)));
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

package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.latecomer.services.columns.ColumnMemory;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.RequestError;
import io.latecomer.v1.WindowBatch;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client says wrong about columns, in a call and on a stream: the text names the field. */
final class FeatureRequestsTest {
  private static final Sensors SENSORS = Sensors.parsed("a,b?,c");

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
}

package io.latecomer.services;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.server.Access;
import io.latecomer.services.server.ColumnSettings;
import io.latecomer.services.server.LimitSettings;
import io.latecomer.services.server.ServerSettings;
import io.latecomer.services.server.Service;
import io.latecomer.services.server.ServiceServer;
import io.latecomer.services.wire.Compression;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The command {@code ask} against both services: windows, and lines that are none. */
@Timeout(60)
final class MainAskTest {
  private static ServiceServer features;
  private static ServiceServer inference;

  @TempDir Path folder;

  @BeforeAll
  static void start() throws Exception {
    features = ServiceServer.start(ServerSettings.of(Service.FEATURES, "127.0.0.1", 0));
    inference = ServiceServer.start(ServerSettings.of(Service.INFERENCE, "127.0.0.1", 0));
  }

  @AfterAll
  static void stop() throws Exception {
    features.drain();
    inference.drain();
  }

  private CommandRun runOnLines(String rpc, String... lines) throws Exception {
    Path file = Files.write(folder.resolve("windows.jsonl"), List.of(lines));
    return CommandRun.of(
        "ask", features.address(), inference.address(), "--rpc", rpc, "--input", file.toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"unary", "batch", "stream"})
  void theWindowOfTheOriginalDemoHasItsKnownAnswer(String rpc) {
    CommandRun run =
        CommandRun.of("ask", features.address(), inference.address(), "--json", "--rpc", rpc);
    assertEquals("", run.err());
    assertEquals(
        "{\"device_id\":\"device_123\",\"features\":{\"sensor_1/v1\":0.48174312710762024,"
            + "\"sensor_2/v1\":0.5036365389823914,\"sensor_3/v1\":0.5041427612304688,"
            + "\"sensor_4/v1\":0.4926997423171997},\"model_id\":\"log_reg_model/v1\","
            + "\"result\":{\"logistic_regression_result\":\"0.515127767\"}}\n",
        run.out());
    assertEquals(0, run.status());
  }

  @Test
  void aPersonReadsTheSame() {
    CommandRun run = CommandRun.of("ask", features.address(), inference.address());
    assertEquals(
        """
        device device_123
          sensor_1/v1  0.48174313
          sensor_2/v1  0.50363654
          sensor_3/v1  0.50414276
          sensor_4/v1  0.49269974
        model log_reg_model/v1
          logistic_regression_result  0.515127767
        """,
        run.out());
  }

  @ParameterizedTest
  @ValueSource(strings = {"unary", "batch", "stream"})
  void linesAreAnsweredOneByOneAndARefusalIsAnAnswer(String rpc) throws Exception {
    CommandRun run =
        runOnLines(
            rpc,
            window("d1", "1.5"),
            "",
            window("d2", "1e39"),
            "{\"device_id\":\"d3\",\"times\":[],\"sensor1\":[],\"sensor2\":[],\"sensor3\":[],"
                + "\"sensor4\":[]}",
            window("\u00fc \\\"4\\\"", "-1e-45"));
    assertEquals("", run.err());
    assertEquals(0, run.status());
    List<JsonObject> answers =
        run.out().lines().map(line -> JsonParser.parseString(line).getAsJsonObject()).toList();
    assertEquals(4, answers.size());
    assertEquals(1.5, answers.get(0).getAsJsonObject("features").get("sensor_1/v1").getAsDouble());
    for (int row = 1; row <= 2; row++) {
      assertEquals("INVALID_ARGUMENT", answers.get(row).get("status").getAsString());
      assertEquals("features", answers.get(row).get("service").getAsString());
    }
    assertEquals("\u00fc \"4\"", answers.get(3).get("device_id").getAsString());
    assertTrue(run.out().contains("\"sensor_1/v1\":-1.401298464324817e-45"));
  }

  private static String window(String device, String reading) {
    return String.format(
        "{\"device_id\":\"%s\",\"times\":[1],\"sensor1\":[%s],\"sensor2\":[1],\"sensor3\":[1],"
            + "\"sensor4\":[1]}",
        device, reading);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "not json",
        "[]",
        "null",
        "{}",
        "{\"device_id\":\"d\",\"times\":[1],\"sensor1\":[1,2]}",
        "{\"device_id\":\"d\",\"times\":[1],\"sensor1\":[NaN]}",
        "{\"device_id\":\"d\",\"times\":[1],\"sensor1\":[null]}",
        "{\"device_id\":\"d\",\"times\":[1],\"sensor1\":[{}]}",
        "{\"device_id\":\"d\",\"times\":[null]}",
        "{\"device_id\":\"d\",\"times\":null}",
        "{\"device_id\":null,\"times\":[1]}",
        "{\"device_id\":{},\"times\":[1]}",
      })
  void aLineThatIsNoWindowIsAFailureWithItsNumber(String line) throws Exception {
    CommandRun run = runOnLines("unary", "", line);
    assertEquals(1, run.status());
    assertTrue(run.err().startsWith("line 2: "), run.err());
    assertEquals(1, run.err().lines().count());
  }

  @ParameterizedTest
  @ValueSource(strings = {"batch", "stream"})
  void windowsOfOtherSensorsAreAskedAboutAsTheServiceHasThem(String rpc) throws Exception {
    Path file =
        Files.write(
            folder.resolve("windows.jsonl"),
            List.of(
                "{\"device_id\":\"d1\",\"times\":[1,2],\"sensor1\":[1,2],\"sensor2\":[2,4],"
                    + "\"sensor3\":[3,6],\"sensor4\":[null,8],\"more\":true}",
                "{\"device_id\":\"d2\",\"times\":[1],\"sensor1\":[1],\"sensor2\":[2],"
                    + "\"sensor3\":[3],\"sensor4\":[null]}"));
    Sensors sensors = Sensors.parsed("sensor1,sensor2,sensor3,sensor4?");
    ServiceServer others = start(sensors, 0);
    String[] ask = {
      "ask",
      others.address(),
      inference.address(),
      "--rpc",
      rpc,
      "--sensors=sensor1,sensor2,sensor3,sensor4?",
      "--input=" + file
    };
    CommandRun run = CommandRun.of(ask);
    assertEquals("", run.out());
    // The Java model reads the features of the original demo's sensors, all of them required.
    assertEquals(
        "inference service at "
            + inference.address()
            + ": its model log_reg_model/v1 reads sensor_1/v1, sensor_2/v1, sensor_3/v1,"
            + " sensor_4/v1, which the features service does not have\n",
        run.err());
    ask[1] = features.address();
    assertEquals(
        "features service at "
            + features.address()
            + ": its sensors are sensor1, sensor2, sensor3, sensor4, not sensor1, sensor2, sensor3,"
            + " sensor4?\n",
        CommandRun.of(ask).err());
    others.drain();
  }

  @Test
  void aServiceWithoutMemoryForColumnsIsAskedByCalls() throws Exception {
    ServiceServer small = start(Sensors.DEMO, 300);
    String[] lines = {
      window("d1", "1"), window("d2", "2"), window("d3", "1e39"), window("d4", "4")
    };
    String expected = runOnLines("unary", lines).out();
    Path file = Files.write(folder.resolve("windows.jsonl"), List.of(lines));
    String[] ask = {"ask", small.address(), inference.address(), "--rpc=stream", "--input=" + file};
    CommandRun run = CommandRun.of(ask);
    assertEquals(expected, run.out());
    assertEquals("", run.err());
    small.drain();
  }

  private static ServiceServer start(Sensors sensors, long columnBytes) throws Exception {
    return ServiceServer.start(
        new ServerSettings(
            Service.FEATURES,
            "127.0.0.1",
            0,
            LimitSettings.DEFAULT,
            Access.LOCAL,
            Compression.none,
            new ColumnSettings(sensors, columnBytes, columnBytes),
            null));
  }

  @Test
  void moreWindowsThanOneRequestHoldsAreAllAnswered() throws Exception {
    String[] lines = new String[600];
    for (int i = 0; i < lines.length; i++) {
      lines[i] = window("d" + i, i + ".25");
    }
    CommandRun unary = runOnLines("unary", lines);
    assertEquals(600, unary.out().lines().count());
    assertEquals(unary.out(), runOnLines("batch", lines).out());
    assertEquals(unary.out(), runOnLines("stream", lines).out());
  }

  @ParameterizedTest
  @ValueSource(strings = {"unary", "batch", "stream"})
  void aServiceThatDoesNotAnswerIsOneLineWithItsStatus(String rpc) throws Exception {
    ServiceServer gone = ServiceServer.start(ServerSettings.of(Service.FEATURES, "127.0.0.1", 0));
    gone.drain();
    CommandRun run = CommandRun.of("ask", gone.address(), inference.address(), "--rpc", rpc);
    assertEquals(1, run.status());
    assertTrue(
        run.err().startsWith("features service at " + gone.address() + ": UNAVAILABLE"), run.err());
    assertEquals(1, run.err().lines().count());
    assertEquals("", run.out());
  }
}

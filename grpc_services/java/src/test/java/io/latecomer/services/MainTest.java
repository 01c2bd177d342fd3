package io.latecomer.services;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Options and variables of all commands: a wrong one is one line and status 2. */
@Timeout(60)
final class MainTest {
  @ParameterizedTest
  @CsvSource({
    "LATECOMER_SERVE_DRAIN, soon, --drain",
    "LATECOMER_SERVE_TLS_CERT, server.pem, tls-cert needs both",
    "LATECOMER_SERVE_SUBJECT, one, subject has no effect without --jwks",
    "LATECOMER_SERVE_HOST, 0.0.0.0, others can reach it"
  })
  void anOptionIsTakenFromTheEnvironmentToo(String name, String value, String said) {
    CommandRun run = CommandRun.in(Map.of(name, value), "features", "--port=0");
    assertEquals(2, run.status());
    assertTrue(run.err().contains(said), run.err());
  }

  @Test
  void anOptionThatIsGivenWinsAndWhatIsOfOthersIsLeftAlone() {
    Map<String, String> environment =
        Map.of(
            "LATECOMER_SERVE_LANGUAGE", "java",
            "LATECOMER_SERVE_CONFIG", "settings.toml",
            "LATECOMER_RUN_TICKS", "5m",
            "LATECOMER_SERVE_ALLOW_PLAIN", "false",
            "LATECOMER_SERVE_HOST", "127.0.0.1");
    CommandRun run = CommandRun.in(environment, "features", "--host=0.0.0.0");
    assertEquals(2, run.status());
    assertTrue(run.err().contains("0.0.0.0"), run.err());
  }

  @ParameterizedTest
  @CsvSource({
    "LATECOMER_SERVE_DRAINS, features, is not a setting",
    "LATECOMER_SERVE_HELP, inference, is not a setting",
    "LATECOMER_SERVE_MODEL, inference, is for --language python: a Java service has its own",
    "LATECOMER_ASK_INPUTS, ask, is not a setting"
  })
  void aVariableThatIsNoSettingIsAnError(String name, String command, String why) {
    CommandRun run = CommandRun.in(Map.of(name, "1"), command);
    assertEquals(2, run.status());
    assertEquals("latecomer-services " + command + ": " + name + " " + why + "\n", run.err());
    assertEquals(0, CommandRun.in(Map.of(name, "1"), command, "--help").status());
  }

  @Test
  void aTakenPortIsOneLineAndStatusOne() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String port = String.valueOf(taken.getLocalPort());
      CommandRun run = CommandRun.of("features", "--port", port);
      assertEquals(1, run.status());
      assertEquals(
          "features: cannot listen on 127.0.0.1:" + port + ": Address already in use\n", run.err());
      assertEquals("", run.out());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "features --port 70000, --port must be from 0 to 65535",
    "features --port x, '--port'",
    "features --drain 5, is not a duration",
    "features --max-concurrent-calls 0, --max-concurrent-calls must be",
    "inference --unknown, Unknown option",
    "'features --sensors a,a?', --sensors: sensor a is named twice",
    "features --sensors=, --sensors: the name of a sensor is",
    "features --column-bytes -1, --column-bytes must be an integer from 0 to 1099511627776",
    "features --column-bytes 1, --stream-column-bytes must not be above --column-bytes",
    "inference --sensors a, --sensors is a setting of the feature service only",
    "inference --stream-column-bytes 1, --stream-column-bytes is a setting of the feature service",
    "ask --sensors a, --sensors needs --input",
    "ask --sensors a --input -, --sensors needs --rpc batch or stream",
    "ask localhost, is not host:port",
    "ask localhost:0, is not host:port",
    "ask --rpc none, '--rpc'",
    "ask --deadline 0s, --deadline",
    "'', features",
    "other, 'other'",
  })
  void aWrongArgumentIsOneLineAndStatusTwo(String args, String text) {
    CommandRun run = CommandRun.of(args.isEmpty() ? new String[0] : args.split(" "));
    assertEquals(2, run.status());
    assertTrue(run.err().contains(text), run.err());
    assertEquals(1, run.err().lines().count());
    assertEquals("", run.out());
  }
}

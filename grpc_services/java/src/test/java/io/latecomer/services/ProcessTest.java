package io.latecomer.services;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The life of a server process, seen from outside. */
@Timeout(120)
final class ProcessTest {
  private static Process start(String mainClass, String... args) throws IOException {
    ProcessBuilder builder = new ProcessBuilder();
    builder.command().add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    builder.command().add("-cp");
    builder.command().add(System.getProperty("java.class.path"));
    builder.command().add(mainClass);
    builder.command().addAll(List.of(args));
    return builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  private static BufferedReader out(Process process) {
    return new BufferedReader(
        new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
  }

  private static void assertEnds(Process process, BufferedReader out) throws Exception {
    try {
      assertTrue(process.waitFor(30, TimeUnit.SECONDS));
      assertEquals(0, process.exitValue());
      assertEquals(null, out.readLine());
    } finally {
      process.destroyForcibly();
    }
  }

  @ParameterizedTest
  @CsvSource({"FeatureEngineeringServer, features", "PredictionServer, inference"})
  void theOldMainClassesListenSayWhereAndEndOnSigterm(String mainClass, String service)
      throws Exception {
    Process process = start("io.grpc.examples.ml." + mainClass, "--port", "0");
    BufferedReader out = out(process);
    String line = out.readLine();
    assertTrue(line.matches(service + ": listening on 127\\.0\\.0\\.1:\\d+"), line);
    process.toHandle().destroy(); // SIGTERM, and the streams stay open
    assertEnds(process, out);
  }

  @Test
  void aServerThatStopsWithStandardInputEndsWhenItEnds() throws Exception {
    Process process =
        start("io.latecomer.services.Main", "features", "--port", "0", "--stop-with-input");
    BufferedReader out = out(process);
    assertTrue(out.readLine().startsWith("features: listening on "));
    process.getOutputStream().close();
    assertEnds(process, out);
  }
}

package io.latecomer.services;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.CallOptions;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The life of a server process, seen from outside. */
@Timeout(120)
final class ProcessTest {
  @TempDir Path folder;

  /** A line of shell before it, and options of the JVM before the main class. */
  private Process start(String before, String... args) throws IOException {
    ProcessBuilder builder = new ProcessBuilder("sh", "-c", before + "exec \"$@\"", "sh");
    builder.command().add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    builder.command().add("-cp");
    builder.command().add(System.getProperty("java.class.path"));
    builder.command().addAll(List.of(args));
    return builder.redirectError(log().toFile()).start();
  }

  private Path log() {
    return folder.resolve("log");
  }

  /** Waits until it listens. */
  private static int port(BufferedReader out) throws IOException {
    String line = out.readLine();
    return Integer.parseInt(line.substring(line.lastIndexOf(':') + 1));
  }

  /** So many zeros, which are made while they are sent. */
  private record Zeros(long count) implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] ignored) {
      return new InputStream() {
        private long left = count;

        @Override
        public int read() {
          return left-- > 0 ? 0 : -1;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) {
          if (left <= 0) {
            return -1;
          }
          int size = (int) Math.min(left, length);
          Arrays.fill(bytes, offset, offset + size, (byte) 0);
          left -= size;
          return size;
        }
      };
    }

    @Override
    public byte[] parse(InputStream stream) {
      return new byte[0];
    }
  }

  private static void call(int port, String name, long zeros) {
    ManagedChannel channel =
        Grpc.newChannelBuilder("127.0.0.1:" + port, InsecureChannelCredentials.create()).build();
    try {
      MethodDescriptor<byte[], byte[]> method =
          MethodDescriptor.newBuilder(new Zeros(zeros), new Zeros(0))
              .setType(MethodDescriptor.MethodType.UNARY)
              .setFullMethodName("latecomer.v1.FeatureService/" + name)
              .build();
      CallOptions options =
          CallOptions.DEFAULT
              .withWaitForReady() // a server may learn of an end after the next call has come
              .withCompression("gzip")
              .withDeadlineAfter(60, TimeUnit.SECONDS);
      ClientCalls.blockingUnaryCall(channel, method, options, new byte[0]);
    } finally {
      channel.shutdownNow();
    }
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
    Process process = start("", "io.grpc.examples.ml." + mainClass, "--port", "0");
    BufferedReader out = out(process);
    String line = out.readLine();
    assertTrue(line.matches(service + ": listening on 127\\.0\\.0\\.1:\\d+"), line);
    process.toHandle().destroy(); // SIGTERM, and the streams stay open
    assertEnds(process, out);
  }

  @Test
  void aServerThatStopsWithStandardInputEndsWhenItEnds() throws Exception {
    Process process =
        start("", "io.latecomer.services.Main", "features", "--port", "0", "--stop-with-input");
    BufferedReader out = out(process);
    assertTrue(out.readLine().startsWith("features: listening on "));
    process.getOutputStream().close();
    assertEnds(process, out);
  }

  @Test
  void aServerThatHasNoMemoryLeftEndsWithOneLine() throws Exception {
    Process process =
        start(
            "",
            "-Xmx64m",
            "io.latecomer.services.Main",
            "features",
            "--port=0",
            "--compression=gzip",
            "--max-message-bytes=1000000000");
    try {
      int port = port(out(process));
      assertThrows(StatusRuntimeException.class, () -> call(port, "EngineerFeatures", 400_000_000));
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      assertEquals(1, process.exitValue());
      assertEquals("no memory is left: give the JVM more with -Xmx\n", Files.readString(log()));
    } finally {
      process.destroyForcibly();
    }
  }

  @Test
  void aServerThatMayOpenFewFilesTakesCallsAgainAfterTooManyConnections() throws Exception {
    Process process =
        start(
            "ulimit -n 200; ",
            "io.latecomer.services.Main",
            "features",
            "--port=0",
            "--compression=gzip");
    List<Socket> connections = new ArrayList<>();
    try {
      int port = port(out(process));
      for (int i = 0; i < 300; i++) {
        connections.add(new Socket(InetAddress.getLoopbackAddress(), port));
      }
      while (!Files.readString(log()).contains("the limit of 72 connections is reached")) {
        TimeUnit.MILLISECONDS.sleep(10);
      }
      for (Socket connection : connections) {
        connection.close();
      }
      call(port, "Describe", 0);
    } finally {
      process.destroyForcibly();
    }
  }
}

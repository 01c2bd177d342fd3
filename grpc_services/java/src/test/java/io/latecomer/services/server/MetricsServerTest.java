package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
final class MetricsServerTest {
  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final HttpClient client = HttpClient.newHttpClient();
  private final AtomicBoolean serving = new AtomicBoolean(true);
  private MetricsServer server;

  @BeforeEach
  void start() throws IOException {
    Counter.builder().name("asked").help("Asked").register(registry).inc(3);
    server = MetricsServer.start(registry, serving::get, "127.0.0.1", 0);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private int port() {
    return URI.create(server.url()).getPort();
  }

  private HttpResponse<String> ask(String accept) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(server.url())).header("Accept", accept).build();
    return client.send(request, BodyHandlers.ofString());
  }

  private Socket sends(String text) throws IOException {
    Socket connection = new Socket(InetAddress.getLoopbackAddress(), port());
    connection.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    return connection;
  }

  @ParameterizedTest
  @CsvSource({
    "*/*, text/plain",
    "text/plain, text/plain",
    "application/openmetrics-text, application/openmetrics-text",
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily, text/plain"
  })
  void theNumbersAreServedInTheFormatThatIsAskedFor(String accept, String served) throws Exception {
    HttpResponse<String> answer = ask(accept);
    assertEquals(200, answer.statusCode());
    assertTrue(answer.headers().firstValue("Content-Type").orElseThrow().startsWith(served));
    assertTrue(answer.body().contains("asked_total 3.0\n"), answer.body());
  }

  @Test
  void halfRequestsKeepNobodyFromTheNumbers() throws Exception {
    List<Socket> halves = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      halves.add(sends(i % 2 == 0 ? "GET /met" : "GET /metrics HTTP/1.1\r\nA:"));
    }
    for (int i = 0; i < 20; i++) {
      assertTrue(ask("*/*").body().contains("asked_total 3.0\n"));
    }
    long threads =
        Thread.getAllStackTraces().keySet().stream()
            .filter(one -> one.getName().equals("metrics"))
            .count();
    assertTrue(threads < 20, threads + " threads");
    for (Socket half : halves) {
      half.close();
    }
  }

  @Test
  void aHalfRequestIsClosedByItself() throws Exception {
    try (Socket half = sends("GET /met")) {
      half.setSoTimeout(30_000);
      assertEquals(-1, half.getInputStream().read());
    }
  }

  @ParameterizedTest
  @CsvSource({"POST, HTTP/1.1 405 Method Not Allowed", "GET, HTTP/1.1 200 OK"})
  void whoAsksForAnythingElseIsToldSo(String method, String expected) throws Exception {
    try (Socket other = sends(method + " /metrics HTTP/1.1\r\nHost: x\r\n\r\n")) {
      String answer = new String(other.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
      assertEquals(expected, answer.lines().findFirst().orElseThrow());
    }
  }

  @ParameterizedTest
  @CsvSource({"true, 200, SERVING", "false, 503, NOT_SERVING"})
  void probesThatCannotAskByGrpcHearWhetherItServes(boolean serves, int status, String says)
      throws Exception {
    serving.set(serves);
    URI health = URI.create(server.url()).resolve("/health");
    HttpResponse<String> answer =
        client.send(HttpRequest.newBuilder(health).build(), BodyHandlers.ofString());
    assertEquals(status, answer.statusCode());
    assertEquals(says + "\n", answer.body());
  }

  @Test
  void aRequestWithoutAnEndIsClosed() throws Exception {
    try (Socket endless = sends("x".repeat(8 * 1024))) {
      assertEquals(-1, endless.getInputStream().read());
    }
  }

  @Test
  void itListensWhereItWasToldToAndNowhereElse() throws Exception {
    InetAddress elsewhere = InetAddress.getByAddress(new byte[] {127, 0, 0, 2});
    assertTrue(server.url().startsWith("http://localhost:"), server.url());
    assertThrows(ConnectException.class, () -> new Socket(elsewhere, port()).close());
  }

  @Test
  void aPortThatIsTakenIsAnError() {
    assertThrows(
        BindException.class,
        () -> MetricsServer.start(registry, serving::get, "127.0.0.1", port()).close());
  }
}

package io.latecomer.services.client;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/** An issuer's token endpoint on a free port of this machine, for one client. */
public final class IssuingServer implements AutoCloseable {
  public static final String CLIENT = "pipeline";
  public static final String SECRET = "the-s3cret";

  private final HttpServer server;
  private final Supplier<String> tokens;
  private final AtomicInteger granted = new AtomicInteger();
  private volatile String body = "";

  /** How long its tokens live, as JSON; empty does not say. */
  volatile String lifetime = "3600";

  /** What it answers to everybody; empty is a token. */
  volatile String instead = "";

  volatile int status = 200;

  private volatile Runnable before = () -> {};

  public IssuingServer(Supplier<String> tokens) throws IOException {
    this.tokens = tokens;
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/token", this::answer);
    server.start();
  }

  public String url() {
    return "http://127.0.0.1:" + server.getAddress().getPort() + "/token";
  }

  /** How often it gave a token. */
  public int granted() {
    return granted.get();
  }

  /** What the last request asked for. */
  public String scope() {
    String value = body.replaceFirst(".*scope=([^&]*).*", "$1");
    return URLDecoder.decode(value, StandardCharsets.UTF_8);
  }

  private void answer(HttpExchange exchange) throws IOException {
    body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    before.run();
    String known =
        Base64.getEncoder()
            .encodeToString((CLIENT + ":" + SECRET).getBytes(StandardCharsets.UTF_8));
    String shown = exchange.getRequestHeaders().getFirst("Authorization");
    if (status != 200 || !instead.isEmpty()) {
      exchange.getResponseHeaders().set("Location", "http://127.0.0.1:1/elsewhere");
      send(exchange, status, instead);
    } else if (!("Basic " + known).equals(shown)
        || !body.contains("grant_type=client_credentials")) {
      send(exchange, 401, "{\"error\":\"invalid_client\",\"error_description\":\"" + shown + "\"}");
    } else {
      granted.incrementAndGet();
      String life = lifetime.isEmpty() ? "" : ",\"expires_in\":" + lifetime;
      send(
          exchange,
          200,
          "{\"access_token\":\"" + tokens.get() + "\",\"token_type\":\"Bearer\"" + life + "}");
    }
  }

  /** Says when it is asked, and answers when it is told to. */
  void delayed(CountDownLatch asked, CountDownLatch released) {
    before =
        () -> {
          asked.countDown();
          try {
            released.await();
          } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
          }
        };
  }

  private static void send(HttpExchange exchange, int status, String json) throws IOException {
    byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  @Override
  public void close() {
    server.stop(0);
  }
}

package io.latecomer.services.server;

import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Serves the metrics of a process to Prometheus and its health to probes, on few threads that
 * nobody can hold.
 *
 * <p>When as many connections are open as there may be, the oldest is closed for the next one: who
 * asks in earnest is done within milliseconds.
 */
public final class MetricsServer implements AutoCloseable {
  /** Python's has the same. */
  private static final int MOST_CONNECTIONS = 8;

  /** Prometheus gives a target 10 s by default, for all of it. */
  private static final int SILENT_MS = 5_000;

  private static final int MOST_BYTES = 8 * 1024;

  private static final long PAUSE_MS = 1_000;

  private static final Pattern ACCEPT = Pattern.compile("(?im)^accept:(.*)$");

  private static final String HEALTH = "GET /health ";

  private final PrometheusRegistry registry;
  private final BooleanSupplier isServing;
  private final ServerSocket listening;
  private final ExpositionFormats formats = ExpositionFormats.init();
  private final Thread acceptor = ServiceServer.daemon(this::accept, "metrics");

  /** As many as connections: those of the ones that were closed are free at once. */
  private final ExecutorService threads =
      Executors.newFixedThreadPool(MOST_CONNECTIONS, work -> ServiceServer.daemon(work, "metrics"));

  /** The oldest first; guarded by itself. */
  private final Deque<Socket> open = new ArrayDeque<>();

  private MetricsServer(
      PrometheusRegistry registry, BooleanSupplier isServing, ServerSocket listening) {
    this.registry = registry;
    this.isServing = isServing;
    this.listening = listening;
  }

  /**
   * Listens until it is closed.
   *
   * @param isServing what {@code /health} says, to probes that cannot ask by gRPC
   * @param host name or address to listen on
   * @param port 0 takes a free one
   * @throws IOException if the port is taken, or there is no such address
   */
  public static MetricsServer start(
      PrometheusRegistry registry, BooleanSupplier isServing, String host, int port)
      throws IOException {
    ServerSocket listening = new ServerSocket();
    try {
      listening.bind(new InetSocketAddress(host, port));
    } catch (IOException error) {
      listening.close();
      throw error;
    }
    MetricsServer made = new MetricsServer(registry, isServing, listening);
    made.acceptor.start();
    return made;
  }

  /** Where to ask, on this machine. */
  public String url() {
    InetAddress address = listening.getInetAddress();
    boolean here = address.isLoopbackAddress() || address.isAnyLocalAddress();
    String host = here && address instanceof Inet4Address ? "localhost" : address.getHostAddress();
    return "http://" + ServerSettings.address(host, listening.getLocalPort()) + "/metrics";
  }

  private void accept() {
    while (!listening.isClosed()) {
      try {
        Socket connection = listening.accept();
        makeRoomFor(connection);
        threads.execute(() -> serve(connection));
      } catch (IOException | RejectedExecutionException error) {
        pause(); // closed, or without a descriptor
      }
    }
  }

  private void makeRoomFor(Socket connection) {
    synchronized (open) {
      if (open.size() == MOST_CONNECTIONS) {
        end(open.removeFirst());
      }
      open.addLast(connection);
    }
  }

  private static void pause() {
    try {
      TimeUnit.MILLISECONDS.sleep(PAUSE_MS);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt(); // by the close
    }
  }

  /** Whoever goes in the middle, or asks for nothing, is no event of ours. */
  private void serve(Socket connection) {
    try {
      connection.setSoTimeout(SILENT_MS);
      connection.getOutputStream().write(answer(request(connection.getInputStream())));
    } catch (IOException error) {
      return;
    } finally {
      synchronized (open) {
        open.remove(connection);
      }
      end(connection);
    }
  }

  private static void end(Socket connection) {
    try {
      connection.close();
    } catch (IOException error) {
      return; // it has ended by itself
    }
  }

  /** Its first line and its headers. */
  private static String request(InputStream in) throws IOException {
    byte[] bytes = new byte[MOST_BYTES];
    int size = 0;
    while (size < bytes.length) {
      int read = in.read(bytes, size, bytes.length - size);
      if (read < 0) {
        break;
      }
      size += read;
      if (size >= 4
          && new String(bytes, size - 4, 4, StandardCharsets.US_ASCII).equals("\r\n\r\n")) {
        return new String(bytes, 0, size, StandardCharsets.ISO_8859_1);
      }
    }
    throw new IOException("no whole request");
  }

  private byte[] answer(String request) throws IOException {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    ByteArrayOutputStream answer = new ByteArrayOutputStream();
    if (request.startsWith(HEALTH)) {
      boolean serving = isServing.getAsBoolean();
      body.writeBytes(
          (serving ? "SERVING\n" : "NOT_SERVING\n").getBytes(StandardCharsets.US_ASCII));
      String status = serving ? "200 OK" : "503 Service Unavailable";
      head(answer, status, "Content-Type: text/plain", body.size());
    } else if (request.startsWith("GET ")) {
      ExpositionFormatWriter format = format(request);
      format.write(body, registry.scrape());
      head(answer, "200 OK", "Content-Type: " + format.getContentType(), body.size());
    } else {
      head(answer, "405 Method Not Allowed", "Allow: GET", 0);
    }
    body.writeTo(answer);
    return answer.toByteArray();
  }

  /** Prometheus' own text, unless the other one is asked for. */
  private ExpositionFormatWriter format(String request) {
    Matcher accept = ACCEPT.matcher(request);
    ExpositionFormatWriter openMetrics = formats.getOpenMetricsTextFormatWriter();
    return accept.find() && openMetrics.accepts(accept.group(1))
        ? openMetrics
        : formats.getPrometheusTextFormatWriter();
  }

  private static void head(ByteArrayOutputStream out, String status, String header, int size) {
    String text = "HTTP/1.1 %s\r\n%s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n";
    out.writeBytes(text.formatted(status, header, size).getBytes(StandardCharsets.US_ASCII));
  }

  @Override
  public void close() {
    try {
      listening.close();
    } catch (IOException error) {
      throw new IllegalStateException("a socket that listens cannot fail to close", error);
    }
    acceptor.interrupt();
    threads.shutdownNow();
    synchronized (open) {
      open.forEach(MetricsServer::end);
    }
  }
}

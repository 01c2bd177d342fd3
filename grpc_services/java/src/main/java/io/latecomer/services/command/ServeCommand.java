package io.latecomer.services.command;

import io.latecomer.services.Failure;
import io.latecomer.services.SettingsError;
import io.latecomer.services.server.MetricsServer;
import io.latecomer.services.server.ServerSettings;
import io.latecomer.services.server.Service;
import io.latecomer.services.server.ServiceServer;
import io.latecomer.services.wire.Compression;
import java.io.IOException;
import java.io.OutputStream;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * Runs one server until it is told to stop, by SIGTERM, by Ctrl-C or by the end of standard input;
 * it then drains and ends with status 0. Standard output has one line, as soon as calls are taken.
 */
@Command(mixinStandardHelpOptions = true, sortOptions = false)
public abstract class ServeCommand implements Callable<Integer> {
  @Option(
      names = "--host",
      paramLabel = "HOST",
      description =
          "Name or address to listen on. One that other machines can reach needs TLS, or "
              + "--allow-plain. [default: ${DEFAULT-VALUE}]")
  private String host = ServerSettings.DEFAULT_HOST;

  @Option(
      names = "--port",
      paramLabel = "N",
      description = "Port; 0 takes a free one. Default: 9001 for features, 9011 for inference.")
  private Integer port;

  @Option(
      names = "--compression",
      paramLabel = "KIND",
      defaultValue = "none",
      description =
          "gzip accepts compressed requests, and compresses answers to clients that "
              + "accept it; with none, a compressed request is UNIMPLEMENTED. [default: "
              + "${DEFAULT-VALUE}]")
  private Compression compression;

  @Option(
      names = "--metrics-port",
      paramLabel = "N",
      description =
          "Port that serves metrics in Prometheus' format; 0 takes a free one. Default: "
              + "no metrics.")
  private Integer metricsPort;

  @Option(
      names = "--metrics-host",
      paramLabel = "HOST",
      description = "Name or address that --metrics-port listens on. Default: --host.")
  private String metricsHost;

  @Option(
      names = "--traces",
      paramLabel = "URL",
      description =
          "OpenTelemetry collector to send traces to, by OTLP over gRPC: http://HOST:PORT, or "
              + "https:// with TLS; the usual port is 4317. OpenTelemetry's own variables, "
              + "OTEL_..., set the rest. Default: no traces.")
  private String traces;

  @Mixin private LimitOptions limits;

  @Mixin private ColumnOptions columns;

  @Mixin private AccessOptions access;

  @Option(
      names = "--stop-with-input",
      description =
          "Stop when standard input ends, as it does when the process that started this "
              + "one dies.")
  private boolean stopWithInput;

  @Spec private CommandSpec spec;

  private final Service service;

  ServeCommand(Service service) {
    this.service = service;
  }

  /** The feature service. */
  @Command(
      name = "features",
      description = "Serve features: the mean of each sensor over a window.")
  public static final class Features extends ServeCommand {
    public Features() {
      super(Service.FEATURES);
    }
  }

  /** The inference service. */
  @Command(
      name = "inference",
      description = "Serve predictions: logistic regression over the features.")
  public static final class Inference extends ServeCommand {
    public Inference() {
      super(Service.INFERENCE);
    }
  }

  /** What a caller does wrong is his fault, and no reason for a stack trace here. */
  private static final List<Logger> CALLERS_LOGS =
      Stream.of("NettyServerStream", "NettyServerHandler", "NettyServerTransport")
          .map(name -> Logger.getLogger("io.grpc.netty.shaded.io.grpc.netty." + name))
          .toList();

  /** An orderly end is no news; held here, since loggers are forgotten when nobody holds them. */
  private static final Logger GRPC_LOG = Logger.getLogger("io.grpc");

  @Override
  public Integer call() throws InterruptedException {
    ServerSettings settings = settings();
    GRPC_LOG.setLevel(Level.WARNING);
    CALLERS_LOGS.forEach(log -> log.setLevel(Level.SEVERE));
    LastResort.prepare();
    ServiceServer server;
    try {
      server = ServiceServer.start(settings);
    } catch (SettingsError error) {
      throw wrongArgument(error);
    } catch (IOException | RuntimeException error) {
      throw new Failure(
          service + ": cannot listen on " + settings.address() + ": " + reason(error), error);
    }
    try (MetricsServer metrics = metricsOf(server)) {
      Runtime.getRuntime().addShutdownHook(new Thread(() -> drainAndEnd(server), "drain"));
      if (metrics != null) {
        spec.commandLine().getErr().println(service + ": metrics: " + metrics.url());
      }
      spec.commandLine().getOut().println(service + ": listening on " + server.address());
      CountDownLatch stop = new CountDownLatch(1);
      if (stopWithInput) {
        watchInput(stop);
      }
      stop.await();
      server.drain();
    }
    return 0;
  }

  /** Serves the numbers; null if not wanted. */
  private MetricsServer metricsOf(ServiceServer server) throws InterruptedException {
    if (metricsPort == null) {
      return null;
    }
    try {
      String where = metricsHost == null ? host : metricsHost;
      return MetricsServer.start(
          server.metrics().registry(), server::isServing, where, metricsPort);
    } catch (IOException error) {
      server.drain();
      throw new Failure(service + ": metrics-port " + metricsPort + ": " + reason(error), error);
    }
  }

  private ServerSettings settings() {
    try {
      int chosen = port == null ? service.defaultPort() : port;
      if (metricsPort != null) {
        ServerSettings.checkRange("metrics-port", metricsPort, 0, ServerSettings.MAX_PORT);
      }
      if (metricsHost != null) {
        ServerSettings.checkHost("metrics-host", metricsHost);
      }
      return new ServerSettings(
          service,
          host,
          chosen,
          limits.limits(),
          access.access(service),
          compression,
          columns.columns(),
          traces);
    } catch (SettingsError error) {
      throw wrongArgument(error);
    }
  }

  private ParameterException wrongArgument(SettingsError error) {
    return new ParameterException(spec.commandLine(), "--" + error.getMessage(), error);
  }

  /** The innermost cause says it best: gRPC's own text only repeats the address. */
  private static String reason(Throwable error) {
    Throwable cause = error;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause.getMessage() == null ? cause.toString() : cause.getMessage();
  }

  /**
   * Runs when the machine is told to end. A signal that was obeyed in order is a success: status 0,
   * not 143.
   */
  private static void drainAndEnd(ServiceServer server) {
    try {
      server.drain();
      Runtime.getRuntime().halt(0);
    } catch (InterruptedException error) {
      Runtime.getRuntime().halt(1);
    }
  }

  private static void watchInput(CountDownLatch stop) {
    Thread watcher =
        new Thread(
            () -> {
              try {
                System.in.transferTo(OutputStream.nullOutputStream());
              } catch (IOException error) {
                // A broken standard input has ended, too.
              }
              stop.countDown();
            },
            "standard-input");
    watcher.setDaemon(true);
    watcher.start();
  }
}

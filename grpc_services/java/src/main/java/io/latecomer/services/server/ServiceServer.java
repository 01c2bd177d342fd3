package io.latecomer.services.server;

import io.grpc.BindableService;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.ServerCredentials;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.latecomer.services.columns.ColumnMemory;
import io.latecomer.services.security.WatchedFiles;
import io.latecomer.services.wire.RequestReader;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * One running server: a service in both its forms, health of each and of the whole, reflection, and
 * an orderly end.
 *
 * <p>Answers are computed and never wait, so there are as many threads as processors, whatever the
 * number of calls.
 */
public final class ServiceServer {
  /** Clients send a sign of life every 30 s; a server that forbids it would cut them off. */
  private static final int SHORTEST_KEEPALIVE_S = 20;

  /**
   * For connections to close by themselves when all calls have ended; who still watches the health
   * holds his open.
   */
  private static final int FAREWELL_MS = 500;

  /** For a connection to say what it is, TLS included. */
  private static final int HANDSHAKE_S = 10;

  /** Without a call; a client that watches the health has one. */
  private static final int IDLE_S = 60;

  /** gRPC's own default: a token of some kilobytes, and what else a call brings. */
  private static final int METADATA_BYTES = 8 * 1024;

  /**
   * Calls of a connection at a time: what RFC 9113, section 6.5.2, recommends as the least. A
   * client that has more to ask waits.
   */
  private static final int CALLS_OF_CONNECTION = 100;

  /** Calls that one connection may cancel, in so many seconds; above that it is cut. */
  private static final int RESETS = 1_000;

  private static final int RESETS_S = 10;

  private final ServerSettings settings;
  private final Connections connections = new Connections();
  private final OpenCalls calls;
  final ColumnMemory columns;
  private final ServiceMetrics metrics;

  /** Null where nothing is traced. */
  private final Traces traces;

  private final HealthStatusManager health = new HealthStatusManager();
  final OpenStreams streams = new OpenStreams();

  /** The one it listens on, also where a free one was asked for; known also after the end. */
  private int port;

  private volatile boolean serving = true;
  private final Object ending = new Object();
  private boolean drained;
  private final WatchedFiles files;
  private final ExecutorService executor;
  private final Server server;

  private ServiceServer(ServerSettings settings, WatchedFiles files, ExecutorService executor) {
    this.settings = settings;
    this.files = files;
    this.executor = executor;
    LimitSettings limits = settings.limits();
    columns = settings.columns().memory();
    metrics = new ServiceMetrics(columns);
    traces = settings.traces() == null ? null : Traces.open(settings.traces(), settings.service());
    calls = new OpenCalls(limits.messageTimeout(), limits.maxMessageBytes(), requestBytes(limits));
    HealthLimit healthLimit = new HealthLimit();
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(
                new InetSocketAddress(settings.host(), settings.port()), credentials())
            .executor(executor)
            .maxInboundMessageSize(limits.maxMessageBytes())
            .maxInboundMetadataSize(METADATA_BYTES)
            .maxConcurrentCallsPerConnection(
                Math.max(limits.maxConcurrentCalls(), CALLS_OF_CONNECTION))
            .decompressorRegistry(settings.compression().unpacked())
            .maxRstFramesPerWindow(RESETS, RESETS_S)
            .handshakeTimeout(HANDSHAKE_S, TimeUnit.SECONDS)
            .permitKeepAliveTime(SHORTEST_KEEPALIVE_S, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true)
            .maxConnectionIdle(IDLE_S, TimeUnit.SECONDS)
            .maxConnectionAge(limits.maxConnectionAge().toMillis(), TimeUnit.MILLISECONDS)
            .maxConnectionAgeGrace(limits.maxConnectionAgeGrace().toMillis(), TimeUnit.MILLISECONDS)
            .addStreamTracerFactory(calls)
            .addTransportFilter(healthLimit)
            .addService(read(health.getHealthService().bindService(), false, List.of(healthLimit)));
    List<ServerInterceptor> guards = guards();
    builder.addService(read(ProtoReflectionServiceV1.newInstance().bindService(), false, guards));
    CallLimit limit = new CallLimit(limits.maxConcurrentCalls());
    for (BindableService part : parts()) {
      ServerServiceDefinition counted = ServerInterceptors.intercept(part.bindService(), traced());
      counted = ServerInterceptors.intercept(counted, metrics.innermost());
      counted = read(counted, true, guards, limit);
      counted = ServerInterceptors.intercept(counted, compression(settings));
      counted = ServerInterceptors.intercept(counted, metrics.outermost());
      builder.addService(counted);
      health.setStatus(counted.getServiceDescriptor().getName(), ServingStatus.SERVING);
    }
    health.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, ServingStatus.SERVING);
    server = connections.serve(builder).build();
  }

  private List<ServerInterceptor> traced() {
    return traces == null ? List.of() : List.of(traces.innermost());
  }

  private List<BindableService> parts() {
    return settings.service().parts(streams, settings.columns().sensors(), columns);
  }

  /**
   * A service behind what every call passes: its guards see the headers before anything else is
   * received, and a request is parsed only when the whole of it is there.
   */
  private ServerServiceDefinition read(
      ServerServiceDefinition service,
      boolean awaitedByDrain,
      List<ServerInterceptor> guards,
      ServerInterceptor... limits) {
    ServerServiceDefinition bytes =
        ServerInterceptors.useInputStreamMessages(RequestReader.bounded(service));
    // Of several interceptors, and of several calls, the last one named is the first one called.
    bytes = ServerInterceptors.intercept(bytes, limits);
    bytes =
        ServerInterceptors.intercept(
            bytes, new StatusInterceptor(), calls.interceptor(awaitedByDrain));
    return ServerInterceptors.intercept(bytes, guards);
  }

  /** A quarter of the memory: what is made of a request can be twice as large as it is. */
  private static long requestBytes(LimitSettings limits) {
    return Math.max(limits.maxMessageBytes(), Runtime.getRuntime().maxMemory() / 4);
  }

  private static List<ServerInterceptor> compression(ServerSettings settings) {
    return switch (settings.compression()) {
      case none -> List.of();
      case gzip -> List.of(new GzipAnswers());
    };
  }

  private ServerCredentials credentials() {
    TlsSettings tls = settings.access().tls();
    return tls == null ? InsecureServerCredentials.create() : tls.credentials(files);
  }

  /**
   * What a call has to pass before it counts. Health passes without: who balances or restarts a
   * server has no token of its callers.
   */
  private List<ServerInterceptor> guards() {
    TokenRules tokens = settings.access().tokens();
    return tokens == null
        ? List.of()
        : List.of(new TokenCheck(new TokenVerifier(tokens, files, InstantSource.system()), tokens));
  }

  /**
   * Starts to listen.
   *
   * @throws io.latecomer.services.SettingsError if a file of the settings cannot be used, or a
   *     variable of OpenTelemetry is wrong
   * @throws IOException if it cannot, for example because the port is taken
   */
  public static ServiceServer start(ServerSettings settings) throws IOException {
    WatchedFiles files = new WatchedFiles();
    ExecutorService executor =
        Executors.newFixedThreadPool(threads(), work -> daemon(work, "answers"));
    try {
      ServiceServer made = new ServiceServer(settings, files, executor);
      try {
        made.server.start();
      } catch (IOException | RuntimeException error) {
        made.release();
        throw error;
      }
      made.port = made.server.getPort();
      return made;
    } catch (IOException | RuntimeException error) {
      files.close();
      executor.shutdownNow();
      throw error;
    }
  }

  public int port() {
    return port;
  }

  /** What it counts. */
  public ServiceMetrics metrics() {
    return metrics;
  }

  /** What its health says: false from the beginning of its end on. */
  public boolean isServing() {
    return serving;
  }

  /** Host and port as a client writes them. */
  public String address() {
    return ServerSettings.address(settings.host(), port());
  }

  /**
   * The orderly end: NOT_SERVING, the drain delay, no new calls, the grace for running ones, then
   * their cut. Every caller waits until it is over.
   */
  public void drain() throws InterruptedException {
    synchronized (ending) {
      if (drained) {
        return;
      }
      serving = false;
      health.enterTerminalState();
      TimeUnit.MILLISECONDS.sleep(settings.limits().drain().toMillis());
      server.shutdown();
      streams.drain();
      calls.awaitNone(settings.limits().grace());
      if (!server.awaitTermination(FAREWELL_MS, TimeUnit.MILLISECONDS)) {
        server.shutdownNow().awaitTermination();
      }
      executor.shutdown();
      release();
      drained = true;
    }
  }

  private void release() {
    files.close();
    calls.close();
    connections.close();
    if (traces != null) {
      traces.close();
    }
  }

  static int threads() {
    return Math.max(2, Runtime.getRuntime().availableProcessors());
  }

  static Thread daemon(Runnable work, String name) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    return thread;
  }
}

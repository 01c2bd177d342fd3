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
import io.latecomer.services.security.FileWatch;
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

  private final ServerSettings settings;
  private final CallLimit limit;
  private final ServiceMetrics metrics = new ServiceMetrics();
  private final HealthStatusManager health = new HealthStatusManager();
  private final OpenStreams streams = new OpenStreams();

  /** The one it listens on, also where a free one was asked for; known also after the end. */
  private int port;

  private final Object ending = new Object();
  private boolean drained;
  private final FileWatch files;
  private final ExecutorService executor;
  private final Server server;

  private ServiceServer(ServerSettings settings, FileWatch files, ExecutorService executor) {
    this.settings = settings;
    this.files = files;
    this.executor = executor;
    Limits limits = settings.limits();
    limit = new CallLimit(limits.maxConcurrentCalls());
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(
                new InetSocketAddress(settings.host(), settings.port()), credentials())
            .executor(executor)
            .maxInboundMessageSize(limits.maxMessageBytes())
            .permitKeepAliveTime(SHORTEST_KEEPALIVE_S, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true)
            .maxConnectionAge(limits.maxConnectionAge().toMillis(), TimeUnit.MILLISECONDS)
            .maxConnectionAgeGrace(limits.maxConnectionAgeGrace().toMillis(), TimeUnit.MILLISECONDS)
            .addService(health.getHealthService());
    List<ServerInterceptor> guards = guards();
    builder.addService(
        ServerInterceptors.intercept(ProtoReflectionServiceV1.newInstance(), guards));
    for (BindableService part : settings.service().parts(streams)) {
      // As bytes first: so a request is parsed behind the interceptor that knows the statuses. Of
      // the interceptors the last one named is the first one called.
      ServerServiceDefinition calls = ServerInterceptors.intercept(part, metrics.innermost());
      calls = ServerInterceptors.useInputStreamMessages(calls);
      calls = ServerInterceptors.intercept(calls, new StatusInterceptor(), limit);
      calls = ServerInterceptors.intercept(calls, guards);
      calls = ServerInterceptors.intercept(calls, compression(settings));
      calls = ServerInterceptors.intercept(calls, metrics.outermost());
      builder.addService(calls);
      health.setStatus(calls.getServiceDescriptor().getName(), ServingStatus.SERVING);
    }
    health.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, ServingStatus.SERVING);
    server = builder.build();
  }

  private static List<ServerInterceptor> compression(ServerSettings settings) {
    return switch (settings.compression()) {
      case none -> List.of();
      case gzip -> List.of(new GzipAnswers());
    };
  }

  private ServerCredentials credentials() {
    Tls tls = settings.access().tls();
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
   * @throws io.latecomer.services.SettingsError if a file of the settings cannot be used
   * @throws IOException if it cannot, for example because the port is taken
   */
  public static ServiceServer start(ServerSettings settings) throws IOException {
    FileWatch files = new FileWatch();
    ExecutorService executor = Executors.newFixedThreadPool(threads(), ServiceServer::daemon);
    try {
      ServiceServer started = new ServiceServer(settings, files, executor);
      started.server.start();
      started.port = started.server.getPort();
      return started;
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
      health.enterTerminalState();
      TimeUnit.MILLISECONDS.sleep(settings.limits().drain().toMillis());
      server.shutdown();
      streams.drain();
      limit.awaitNone(settings.limits().grace());
      if (!server.awaitTermination(FAREWELL_MS, TimeUnit.MILLISECONDS)) {
        server.shutdownNow().awaitTermination();
      }
      executor.shutdown();
      files.close();
      drained = true;
    }
  }

  private static int threads() {
    return Math.max(2, Runtime.getRuntime().availableProcessors());
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "answers");
    thread.setDaemon(true);
    return thread;
  }
}

package io.latecomer.services.server;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.latecomer.services.wire.Compression;
import java.io.IOException;
import java.time.Duration;

/** A real server on a free port with a channel to it, for one test. */
final class RunningServer implements AutoCloseable {
  final ServiceServer server;
  final ManagedChannel channel;

  private RunningServer(ServerSettings settings) throws IOException {
    server = ServiceServer.start(settings);
    channel = Grpc.newChannelBuilder(server.address(), InsecureChannelCredentials.create()).build();
  }

  static RunningServer of(Service service) throws IOException {
    return of(service, 1 << 20, 8, Duration.ofSeconds(30));
  }

  static RunningServer of(Service service, int maxMessageBytes, int maxCalls, Duration grace)
      throws IOException {
    LimitSettings usual = LimitSettings.DEFAULT;
    LimitSettings limits =
        new LimitSettings(
            maxMessageBytes,
            maxCalls,
            usual.messageTimeout(),
            Duration.ZERO,
            grace,
            usual.maxConnectionAge(),
            usual.maxConnectionAgeGrace());
    return of(service, limits, Compression.none);
  }

  /** A feature service for these sensors and columns. */
  static RunningServer of(ColumnSettings columns) throws IOException {
    return of(Service.FEATURES, LimitSettings.DEFAULT, Compression.none, columns);
  }

  static RunningServer of(Service service, LimitSettings limits, Compression compression)
      throws IOException {
    return of(service, limits, compression, ColumnSettings.DEFAULT);
  }

  private static RunningServer of(
      Service service, LimitSettings limits, Compression compression, ColumnSettings columns)
      throws IOException {
    return new RunningServer(
        new ServerSettings(
            service, "127.0.0.1", 0, limits, Access.LOCAL, compression, columns, null));
  }

  @Override
  public void close() throws InterruptedException {
    channel.shutdownNow();
    server.drain();
  }
}

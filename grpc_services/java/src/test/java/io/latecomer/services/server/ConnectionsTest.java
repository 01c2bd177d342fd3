package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class ConnectionsTest {
  private static final int MOST = 3;

  private final Connections connections = new Connections(MOST);
  private final List<Socket> silent = new ArrayList<>();
  private LogLines log;
  private Server server;

  @BeforeEach
  void start() throws IOException {
    log = new LogLines();
    InetSocketAddress here = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    server =
        connections
            .serve(NettyServerBuilder.forAddress(here, InsecureServerCredentials.create()))
            .addService(new HealthStatusManager().getHealthService())
            .build()
            .start();
  }

  @AfterEach
  void stop() throws IOException {
    for (Socket one : silent) {
      one.close();
    }
    server.shutdownNow();
    connections.close();
    log.close();
  }

  private Socket connect() throws IOException {
    Socket made = new Socket(InetAddress.getLoopbackAddress(), server.getPort());
    silent.add(made);
    return made;
  }

  /** Whether the server has closed it; one that it took says what it speaks. */
  private static boolean isClosed(Socket connection) throws IOException {
    try {
      return connection.getInputStream().read() < 0;
    } catch (SocketTimeoutException error) {
      throw new AssertionError("neither taken nor closed", error);
    } catch (IOException error) {
      return true; // reset
    }
  }

  private void fill() throws Exception {
    for (int i = 0; i < MOST; i++) {
      assertEquals(false, isClosed(connect()));
    }
  }

  @Test
  void aConnectionAboveTheLimitIsClosedAtOnce() throws Exception {
    fill();
    for (int i = 0; i < 10; i++) {
      assertEquals(true, isClosed(connect()));
    }
    log.await("the limit of 3 connections is reached: more are closed at once", 1);
    assertEquals(1, log.text().split("is reached", -1).length - 1, log.text());
  }

  @Test
  void thereIsRoomAgainAsSoonAsOneHasGone() throws Exception {
    fill();
    assertEquals(true, isClosed(connect()));
    silent.get(0).close();
    ManagedChannel channel =
        Grpc.newChannelBuilder("localhost:" + server.getPort(), InsecureChannelCredentials.create())
            .build();
    try {
      assertEquals(
          ServingStatus.SERVING,
          HealthGrpc.newBlockingStub(channel)
              .withWaitForReady() // the server may learn of the end after the next has come
              .check(HealthCheckRequest.getDefaultInstance())
              .getStatus());
      log.await("connections are taken again", 1);
    } finally {
      channel.shutdownNow();
    }
  }
}

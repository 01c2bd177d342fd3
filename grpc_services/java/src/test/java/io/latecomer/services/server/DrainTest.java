package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.StreamObserver;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.WindowBatch;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class DrainTest {
  private static final Duration LONG = Duration.ofSeconds(50);

  private final WindowBatch batch = Batches.random(new Random(2), 3, 4);

  /** A call that the server has begun and that waits for the end of its request. */
  private static ClientCall<WindowBatch, FeatureBatch> halfSent(
      RunningServer running, WindowBatch request, Received<FeatureBatch> received) {
    ClientCall<WindowBatch, FeatureBatch> call =
        running.channel.newCall(
            FeatureServiceGrpc.getEngineerFeaturesMethod(), CallOptions.DEFAULT);
    call.start(received, new Metadata());
    call.request(2);
    call.sendMessage(request);
    // A whole call on the same connection: what was sent before it has arrived.
    FeatureServiceGrpc.newBlockingStub(running.channel).engineerFeatures(request);
    return call;
  }

  private static CompletableFuture<Void> draining(RunningServer running) {
    return CompletableFuture.runAsync(
        () -> {
          try {
            running.server.drain();
          } catch (InterruptedException error) {
            throw new IllegalStateException(error);
          }
        });
  }

  private static Received<HealthCheckResponse> watch(RunningServer running) throws Exception {
    Received<HealthCheckResponse> health = new Received<>();
    HealthGrpc.newStub(running.channel).watch(HealthCheckRequest.getDefaultInstance(), health);
    assertEquals(ServingStatus.SERVING, health.answer().getStatus());
    return health;
  }

  @Test
  void aServerThatDrainsSaysSoAndFinishesWhatRuns() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES, 1 << 20, 8, LONG)) {
      Received<HealthCheckResponse> health = watch(running);
      Received<FeatureBatch> received = new Received<>();
      ClientCall<WindowBatch, FeatureBatch> call = halfSent(running, batch, received);
      CompletableFuture<Void> drained = draining(running);
      assertEquals(ServingStatus.NOT_SERVING, health.answer().getStatus());
      call.halfClose();
      assertEquals(Batches.features(batch), received.answer());
      assertEquals(Status.Code.OK, received.status().getCode());
      drained.get(); // though the health is still watched
    }
  }

  @Test
  void anIdleStreamDoesNotHoldTheDrainUp() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES, 1 << 20, 8, LONG)) {
      Received<FeatureBatch> received = new Received<>();
      StreamObserver<WindowBatch> requests =
          FeatureServiceGrpc.newStub(running.channel).streamFeatures(received);
      requests.onNext(batch);
      received.answer();
      draining(running).get();
      assertEquals("UNAVAILABLE the server is shutting down", received.statusText());
    }
  }

  @Test
  void aCallThatOutlastsTheGraceIsCut() throws Exception {
    try (RunningServer running =
        RunningServer.of(Service.FEATURES, 1 << 20, 8, Duration.ofMillis(20))) {
      Received<FeatureBatch> received = new Received<>();
      halfSent(running, batch, received);
      draining(running).get();
      assertNotEquals(Status.Code.OK, received.status().getCode());
    }
  }

  @Test
  void aDrainedServerTakesNoCalls() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES, 1 << 20, 8, LONG)) {
      var stub = FeatureServiceGrpc.newBlockingStub(running.channel);
      stub.engineerFeatures(batch);
      running.server.drain();
      StatusRuntimeException error =
          assertThrows(StatusRuntimeException.class, () -> stub.engineerFeatures(batch));
      assertEquals(Status.Code.UNAVAILABLE, error.getStatus().getCode());
    }
  }
}

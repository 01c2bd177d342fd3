package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.InferenceServiceGrpc;
import io.latecomer.v1.PredictionBatch;
import io.latecomer.v1.WindowBatch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class StreamTest {
  private final WindowBatch batch = Batches.random(new Random(2), 3, 4);

  @Test
  void aStreamAnswersEachRequestInOrder() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES)) {
      Received<FeatureBatch> received = new Received<>();
      StreamObserver<WindowBatch> requests =
          FeatureServiceGrpc.newStub(running.channel).streamFeatures(received);
      List<FeatureBatch> expected = new ArrayList<>();
      for (int i = 0; i < 200; i++) {
        WindowBatch request = Batches.random(new Random(i), 1 + i % 7, 5);
        expected.add(BatchRules.features(request));
        requests.onNext(request);
      }
      requests.onCompleted();
      for (FeatureBatch answer : expected) {
        assertEquals(answer, received.answer());
      }
      assertEquals(Status.Code.OK, received.status().getCode());
    }
  }

  @Test
  void predictionsStreamToo() throws Exception {
    FeatureBatch features = BatchRules.features(batch);
    try (RunningServer running = RunningServer.of(Service.INFERENCE)) {
      Received<PredictionBatch> received = new Received<>();
      StreamObserver<FeatureBatch> requests =
          InferenceServiceGrpc.newStub(running.channel).streamPredictions(received);
      requests.onNext(features);
      assertEquals(BatchRules.predictions(features), received.answer());
      requests.onCompleted();
      assertEquals(
          BatchRules.predictions(features),
          InferenceServiceGrpc.newBlockingStub(running.channel).predict(features));
    }
  }

  @Test
  void aStreamThatTheServerEndsLeavesNothingBehind() throws Exception {
    try (RunningServer running =
        RunningServer.of(Service.FEATURES, 1 << 20, 1, Duration.ofSeconds(30))) {
      Received<FeatureBatch> received = new Received<>();
      var stub = FeatureServiceGrpc.newStub(running.channel);
      StreamObserver<WindowBatch> requests = stub.streamFeatures(received);
      requests.onNext(batch);
      received.answer();
      for (int i = 0; i < 10; i++) {
        Received<FeatureBatch> refused = new Received<>();
        stub.streamFeatures(refused).onNext(batch);
        assertEquals(
            "UNAVAILABLE the limit of 1 concurrent calls is reached", refused.statusText());
      }
      while (running.server.streams.count() > 1) {
        TimeUnit.MILLISECONDS.sleep(
            1); // the client may know of an end before the server is done with it
      }
      requests.onCompleted();
    }
  }

  @Test
  void aRequestThatIsRefusedWholeEndsItsStreamAfterTheAnswersBefore() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES)) {
      Received<FeatureBatch> received = new Received<>();
      StreamObserver<WindowBatch> requests =
          FeatureServiceGrpc.newStub(running.channel).streamFeatures(received);
      requests.onNext(batch);
      requests.onNext(batch.toBuilder().addDeviceId("one more").build());
      requests.onNext(batch);
      assertEquals(BatchRules.features(batch), received.answer());
      assertEquals(
          "INVALID_ARGUMENT device_id: 3 values, evaluation_id has 2", received.statusText());
    }
  }
}

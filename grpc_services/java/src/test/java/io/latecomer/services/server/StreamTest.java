package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.latecomer.services.rules.Sensors;
import io.latecomer.v1.DescribeRequest;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.FeatureServiceDescription;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.InferenceServiceDescription;
import io.latecomer.v1.InferenceServiceGrpc;
import io.latecomer.v1.PredictionBatch;
import io.latecomer.v1.WindowBatch;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
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
        expected.add(Batches.features(request));
        requests.onNext(i == 0 ? request : request.toBuilder().clearSensor().build());
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
    FeatureBatch features = Batches.features(batch);
    try (RunningServer running = RunningServer.of(Service.INFERENCE)) {
      Received<PredictionBatch> received = new Received<>();
      StreamObserver<FeatureBatch> requests =
          InferenceServiceGrpc.newStub(running.channel).streamPredictions(received);
      requests.onNext(features);
      assertEquals(PredictionRules.answer(features), received.answer());
      requests.onCompleted();
      assertEquals(
          PredictionRules.answer(features),
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
      requests.onNext(batch.toBuilder().clearSensor().addDeviceId("one more").build());
      requests.onNext(batch);
      assertEquals(Batches.features(batch), received.answer());
      assertEquals(
          "INVALID_ARGUMENT number: 8 bytes are not 3 uint32, one for each device_id",
          received.statusText());
    }
  }

  /** Of a stream that holds a column, once it has ended in some way. */
  private static void assertMemoryIsFree(RunningServer running) throws Exception {
    while (running.server.columns.bytes() > 0) {
      TimeUnit.MILLISECONDS.sleep(1); // the client may know of an end before the server does
    }
    assertEquals(0, running.server.streams.count());
  }

  private static Requests oneColumn() {
    return Requests.about(Sensors.DEMO).define(7, 1_000).append(7, new float[4]).ask(7, 0, 1);
  }

  private static StreamObserver<WindowBatch> holding(
      RunningServer running, Received<FeatureBatch> received) throws Exception {
    StreamObserver<WindowBatch> requests =
        FeatureServiceGrpc.newStub(running.channel).streamFeatures(received);
    requests.onNext(oneColumn().build());
    assertEquals(0, received.answer().getErrorCount());
    assertEquals(56_000, running.server.columns.bytes());
    return requests;
  }

  @Test
  void columnsStayForTheNextRequestOfAStreamAndNoLonger() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES)) {
      Received<FeatureBatch> received = new Received<>();
      StreamObserver<WindowBatch> requests = holding(running, received);
      requests.onNext(
          Requests.later().append(7, new float[] {2, 4, 6, 8}).ask(7, 0, 2).drop(7).build());
      assertEquals(Batches.floats(1, 2, 3, 4), received.answer().getValues());
      assertEquals(0, running.server.columns.bytes());
      requests.onNext(Requests.later().ask(7, 0, 1).build());
      assertEquals(
          "INVALID_ARGUMENT window_number: column 7 is not defined", received.statusText());
    }
  }

  @Test
  void theMemoryOfAStreamIsFreeHoweverItEnds() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES)) {
      holding(running, new Received<>()).onCompleted();
      assertMemoryIsFree(running);
      holding(running, new Received<>()).onError(Status.CANCELLED.asRuntimeException());
      assertMemoryIsFree(running);
      holding(running, new Received<>()).onNext(oneColumn().build()); // a second first message
      assertMemoryIsFree(running);
      Received<FeatureBatch> drained = new Received<>();
      holding(running, drained);
      running.server.drain();
      assertEquals("UNAVAILABLE the server is shutting down", drained.statusText());
      assertMemoryIsFree(running);
    }
  }

  @Test
  void theMemoryOfAConnectionThatIsCutIsFree() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES)) {
      Received<FeatureBatch> received = new Received<>();
      holding(running, received);
      running.channel.shutdownNow();
      received.status();
      assertMemoryIsFree(running);
    }
  }

  @Test
  void bothServicesDescribeThemselves() throws Exception {
    ColumnSettings columns = new ColumnSettings(Sensors.parsed("a,b?"), 9_000, 8_000);
    try (RunningServer running = RunningServer.of(columns)) {
      FeatureServiceDescription features =
          FeatureServiceGrpc.newBlockingStub(running.channel)
              .describe(DescribeRequest.getDefaultInstance());
      assertEquals(List.of("a", "b?"), features.getSensorList());
      assertEquals(List.of("mean_a/v1", "mean_b/v1"), features.getFeatureList());
      assertEquals(8_000, features.getColumnBytes());
    }
    try (RunningServer running = RunningServer.of(Service.INFERENCE)) {
      InferenceServiceDescription inference =
          InferenceServiceGrpc.newBlockingStub(running.channel)
              .describe(DescribeRequest.getDefaultInstance());
      assertEquals("log_reg_model/v1", inference.getModelId());
      assertEquals(Sensors.DEMO.features(), inference.getFeatureList());
      assertEquals(List.of("logistic_regression_result"), inference.getResultList());
    }
  }

  @Test
  void whatColumnsHoldAndWhatThereWasNoRoomForIsCounted() throws Exception {
    try (RunningServer running = RunningServer.of(new ColumnSettings(Sensors.DEMO, 600, 600))) {
      Received<FeatureBatch> received = new Received<>();
      StreamObserver<WindowBatch> requests =
          FeatureServiceGrpc.newStub(running.channel).streamFeatures(received);
      requests.onNext(
          Requests.about(Sensors.DEMO).define(0, 10).define(1, 10).ask(1, 0, 1).build());
      assertEquals(List.of("0 5 column: 1 is not held"), Batches.errors(received.answer()));
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      PrometheusTextFormatWriter.create().write(out, running.server.metrics().registry().scrape());
      String text = out.toString(StandardCharsets.UTF_8);
      assertTrue(text.contains("latecomer_column_bytes 560.0\n"), text);
      assertTrue(text.contains("latecomer_columns_refused_total 1.0\n"), text);
      assertTrue(
          text.contains(
              "latecomer_service_windows_total{"
                  + "method=\"/latecomer.v1.FeatureService/StreamFeatures\"} 1.0\n"),
          text);
    }
  }
}

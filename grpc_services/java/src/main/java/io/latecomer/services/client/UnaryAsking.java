package io.latecomer.services.client;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.examples.ml.Feature;
import io.grpc.examples.ml.FeatureEngineeringServiceGrpc;
import io.grpc.examples.ml.FeatureEngineeringServiceGrpc.FeatureEngineeringServiceBlockingStub;
import io.grpc.examples.ml.FeatureList;
import io.grpc.examples.ml.Prediction;
import io.grpc.examples.ml.PredictionServiceGrpc;
import io.grpc.examples.ml.PredictionServiceGrpc.PredictionServiceBlockingStub;
import io.grpc.examples.ml.RawEvent;
import io.grpc.examples.ml.RawEventList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** The original demo's calls, window by window. */
final class UnaryAsking implements Asking {
  private final Peer features;
  private final Peer inference;
  private final FeatureEngineeringServiceBlockingStub engineer;
  private final PredictionServiceBlockingStub predictor;

  UnaryAsking(Peer features, Peer inference) {
    this.features = features;
    this.inference = inference;
    this.engineer = FeatureEngineeringServiceGrpc.newBlockingStub(features.channel());
    this.predictor = PredictionServiceGrpc.newBlockingStub(inference.channel());
  }

  @Override
  public List<Answer> ask(List<Window> windows) {
    return windows.stream().map(this::ask).toList();
  }

  private Answer ask(Window window) {
    Peer asked = features;
    try {
      FeatureList list =
          engineer
              .withDeadlineAfter(millis(features), TimeUnit.MILLISECONDS)
              .engineerFeatures(message(window));
      features.checkOnce(list.getFeatureList().stream().map(Feature::getName).toList());
      asked = inference;
      Prediction prediction =
          predictor.withDeadlineAfter(millis(inference), TimeUnit.MILLISECONDS).predict(list);
      Map<String, Float> values = new LinkedHashMap<>();
      for (Feature feature : list.getFeatureList()) {
        values.put(feature.getName(), feature.getValue());
      }
      return new Answer.Predicted(
          window.deviceId(), values, prediction.getModelId(), prediction.getResultMap());
    } catch (StatusRuntimeException error) {
      Status status = error.getStatus();
      if (status.getCode() != Status.Code.INVALID_ARGUMENT) {
        throw asked.failure(status);
      }
      return new Answer.Refused(
          window.deviceId(),
          status.getCode(),
          asked.name(),
          String.valueOf(status.getDescription()));
    }
  }

  private static long millis(Peer peer) {
    return peer.deadline().toMillis();
  }

  private static RawEventList message(Window window) {
    RawEventList.Builder list = RawEventList.newBuilder().setDeviceId(window.deviceId());
    float[][] sensors = window.sensors();
    for (int i = 0; i < window.size(); i++) {
      list.addEvent(
          RawEvent.newBuilder()
              .setDeviceId(window.deviceId())
              .setTime(window.times()[i])
              .setSensor1(sensors[0][i])
              .setSensor2(sensors[1][i])
              .setSensor3(sensors[2][i])
              .setSensor4(sensors[3][i]));
    }
    return list.build();
  }
}

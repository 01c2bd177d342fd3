package io.latecomer.services.client;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.latecomer.services.Failure;
import io.latecomer.services.rules.Sensors;
import io.latecomer.v1.DescribeRequest;
import io.latecomer.v1.FeatureServiceDescription;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.InferenceServiceDescription;
import io.latecomer.v1.InferenceServiceGrpc;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** What the two services say of themselves, asked before the first window. */
final class Described {
  private Described() {}

  /**
   * Whether both services answer batches; one that does not has the original demo's methods only.
   *
   * @throws Failure if a service does not answer, has other sensors, or lacks a feature that the
   *     model reads
   */
  static boolean takeBatches(Peer features, Peer inference, Sensors sensors) {
    FeatureServiceDescription engineer =
        answer(
            features,
            () ->
                FeatureServiceGrpc.newBlockingStub(features.channel())
                    .withDeadlineAfter(features.deadline().toMillis(), TimeUnit.MILLISECONDS)
                    .describe(DescribeRequest.getDefaultInstance()));
    if (engineer != null && !engineer.getSensorList().equals(sensors.declared())) {
      throw features.failure(
          "its sensors are " + String.join(", ", engineer.getSensorList()) + ", not " + sensors);
    }
    if (engineer == null && !sensors.areOfDemo()) {
      throw features.failure(
          "it has the original demo's methods only, which cannot ask about " + sensors);
    }
    InferenceServiceDescription predictor =
        answer(
            inference,
            () ->
                InferenceServiceGrpc.newBlockingStub(inference.channel())
                    .withDeadlineAfter(inference.deadline().toMillis(), TimeUnit.MILLISECONDS)
                    .describe(DescribeRequest.getDefaultInstance()));
    if (engineer == null || predictor == null) {
      return false;
    }
    List<String> missing =
        predictor.getFeatureList().stream()
            .filter(feature -> !engineer.getFeatureList().contains(feature))
            .toList();
    if (!missing.isEmpty()) {
      throw inference.failure(
          "its model "
              + predictor.getModelId()
              + " reads "
              + String.join(", ", missing)
              + ", which the features service does not have");
    }
    return true;
  }

  /** Null if it knows no such call. */
  private static <R> R answer(Peer peer, Supplier<R> call) {
    try {
      return call.get();
    } catch (StatusRuntimeException error) {
      if (error.getStatus().getCode() == Status.Code.UNIMPLEMENTED) {
        return null;
      }
      throw peer.failure(error.getStatus());
    }
  }
}

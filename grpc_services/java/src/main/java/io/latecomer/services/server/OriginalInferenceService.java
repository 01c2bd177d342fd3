package io.latecomer.services.server;

import io.grpc.examples.ml.FeatureList;
import io.grpc.examples.ml.Prediction;
import io.grpc.examples.ml.PredictionServiceGrpc;
import io.grpc.stub.StreamObserver;

/**
 * The original demo's inference call: features in, a prediction out. Errors: INVALID_ARGUMENT, see
 * {@link OriginalRules}.
 */
final class OriginalInferenceService extends PredictionServiceGrpc.PredictionServiceImplBase {
  @Override
  public void predict(FeatureList request, StreamObserver<Prediction> answers) {
    Answers.one(request, answers, OriginalRules::prediction);
  }
}

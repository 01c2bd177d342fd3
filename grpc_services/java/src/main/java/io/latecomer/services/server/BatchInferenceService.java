package io.latecomer.services.server;

import io.grpc.stub.StreamObserver;
import io.latecomer.v1.DescribeRequest;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.InferenceServiceDescription;
import io.latecomer.v1.InferenceServiceGrpc;
import io.latecomer.v1.PredictionBatch;

/**
 * Predictions of many rows, by call and by stream. Errors: a row's own, or INVALID_ARGUMENT, see
 * {@link PredictionRules}.
 */
final class BatchInferenceService extends InferenceServiceGrpc.InferenceServiceImplBase {
  private final OpenStreams streams;

  BatchInferenceService(OpenStreams streams) {
    this.streams = streams;
  }

  @Override
  public void describe(
      DescribeRequest request, StreamObserver<InferenceServiceDescription> answers) {
    Answers.one(request, answers, asked -> PredictionRules.description());
  }

  @Override
  public void predict(FeatureBatch request, StreamObserver<PredictionBatch> answers) {
    Answers.one(request, answers, PredictionRules::answer);
  }

  @Override
  public StreamObserver<FeatureBatch> streamPredictions(StreamObserver<PredictionBatch> answers) {
    return Answers.oneForEach(streams, answers, PredictionRules::answer);
  }
}

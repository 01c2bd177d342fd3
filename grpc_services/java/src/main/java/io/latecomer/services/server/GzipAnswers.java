package io.latecomer.services.server;

import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;

/**
 * Answers go as gzip to clients that say they take it; to the others gRPC sends them as they are.
 */
final class GzipAnswers implements ServerInterceptor {
  @Override
  public <Q, R> Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    call.setCompression("gzip");
    return next.startCall(call, headers);
  }
}

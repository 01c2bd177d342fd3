package io.latecomer.services.server;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.function.Function;

/** How a rule, which turns one request into one answer, is put behind a call or a stream. */
final class Answers {
  private Answers() {}

  /**
   * One request, one answer. What the rule throws is turned into a status by {@link
   * StatusInterceptor}.
   */
  static <Q, R> void one(Q request, StreamObserver<R> answers, Function<Q, R> rule) {
    // With a handler set, an answer to a caller who has gone is dropped without a noise.
    ((ServerCallStreamObserver<R>) answers).setOnCancelHandler(() -> {});
    answers.onNext(rule.apply(request));
    answers.onCompleted();
  }

  /** One answer for each request, in order. */
  static <Q, R> StreamObserver<Q> oneForEach(StreamObserver<R> answers, Function<Q, R> rule) {
    return new Stream<>((ServerCallStreamObserver<R>) answers, rule);
  }

  /**
   * Takes the next request only when the answers before it have left: a caller who sends and does
   * not read fills his own buffers, not this server's memory.
   */
  private static final class Stream<Q, R> implements StreamObserver<Q> {
    private final ServerCallStreamObserver<R> answers;
    private final Function<Q, R> rule;

    /**
     * Whether the next request is yet to be asked for. gRPC runs all callbacks of a call one after
     * the other.
     */
    private boolean owesRequest = true;

    Stream(ServerCallStreamObserver<R> answers, Function<Q, R> rule) {
      this.answers = answers;
      this.rule = rule;
      answers.disableAutoRequest();
      answers.setOnReadyHandler(this::askForNext);
      answers.setOnCancelHandler(() -> {});
    }

    private void askForNext() {
      if (owesRequest && answers.isReady()) {
        owesRequest = false;
        answers.request(1);
      }
    }

    @Override
    public void onNext(Q request) {
      answers.onNext(rule.apply(request));
      owesRequest = true;
      askForNext();
    }

    @Override
    public void onError(Throwable gone) {
      // The caller has given up: nobody is left to answer.
    }

    @Override
    public void onCompleted() {
      answers.onCompleted();
    }
  }
}

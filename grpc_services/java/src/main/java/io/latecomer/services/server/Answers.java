package io.latecomer.services.server;

import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.function.Function;

/** How a rule, which turns one request into one answer, is put behind a call or a stream. */
final class Answers {
  /** How many rows are answered before somebody asks whether the caller is still there. */
  private static final int ROWS_BETWEEN_LOOKS = 256;

  private Answers() {}

  /** The rule of one stream: it may keep something from one request to the next. */
  interface StreamRule<Q, R> extends Function<Q, R> {
    /** The stream has ended, in whatever way; called at least once, and never beside an answer. */
    default void close() {}
  }

  /** Past its deadline, or given up by its caller, a call is not worth another row. */
  static void stopIfCancelled(int row) {
    if (row % ROWS_BETWEEN_LOOKS == 0 && Context.current().isCancelled()) {
      throw Status.CANCELLED.asRuntimeException();
    }
  }

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
  static <Q, R> StreamObserver<Q> oneForEach(
      OpenStreams streams, StreamObserver<R> answers, StreamRule<Q, R> rule) {
    Stream<Q, R> stream = new Stream<>(streams, (ServerCallStreamObserver<R>) answers, rule);
    streams.add(stream);
    return stream;
  }

  /**
   * Takes the next request only when the answers before it have left: a caller who sends and does
   * not read fills his own buffers, not this server's memory.
   *
   * <p>gRPC runs the callbacks of a call one after the other; the lock keeps out the drain, which
   * comes from elsewhere.
   */
  private static final class Stream<Q, R> implements StreamObserver<Q>, OpenStreams.Endable {
    private final OpenStreams streams;
    private final ServerCallStreamObserver<R> answers;
    private final StreamRule<Q, R> rule;

    /** Whether the next request is yet to be asked for. */
    private boolean owesRequest = true;

    private boolean ended;

    Stream(OpenStreams streams, ServerCallStreamObserver<R> answers, StreamRule<Q, R> rule) {
      this.streams = streams;
      this.answers = answers;
      this.rule = rule;
      answers.disableAutoRequest();
      answers.setOnReadyHandler(this::askForNext);
      // However its call ends, also where another guard of the server ends it.
      answers.setOnCancelHandler(this::leave);
      answers.setOnCloseHandler(this::leave);
    }

    private synchronized void askForNext() {
      if (!ended && owesRequest && answers.isReady()) {
        owesRequest = false;
        answers.request(1);
      }
    }

    @Override
    public synchronized void onNext(Q request) {
      if (!ended) {
        try {
          answers.onNext(rule.apply(request));
        } catch (RuntimeException error) {
          leave(); // the status interceptor ends the call
          throw error;
        }
        owesRequest = true;
        askForNext();
      }
    }

    @Override
    public void onError(Throwable gone) {
      leave(); // the caller has given up: nobody is left to answer
    }

    @Override
    public synchronized void onCompleted() {
      if (!ended) {
        leave();
        answers.onCompleted();
      }
    }

    @Override
    public synchronized void end(StatusRuntimeException reason) {
      if (!ended) {
        leave();
        answers.onError(reason);
      }
    }

    private synchronized void leave() {
      ended = true;
      streams.remove(this);
      rule.close();
    }
  }
}

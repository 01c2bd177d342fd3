package io.latecomer.services.server;

import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import io.latecomer.services.rules.NumberText;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The calls of a server, and what they hold until they are answered.
 *
 * <p>A call whose first request is not there yet is one that waits: it holds neither a thread nor a
 * place among those that are answered. Who opens calls and sends nothing, or never the last byte,
 * is bounded in number, in bytes and in time. At a bound the oldest call goes, not the newest, of
 * the connection that has most: a request that is being sent takes milliseconds.
 */
final class OpenCalls extends ServerStreamTracer.Factory implements AutoCloseable {
  /** Far more than are under way at a time, where 64 are answered. */
  private static final int MOST_WAITING = 1_000;

  private static final Comparator<Set<?>> MORE = Comparator.comparingInt(Set::size);

  private static final long LOOK_MS = 500;

  private static final Status TOO_MANY =
      Status.UNAVAILABLE.withDescription("too many requests have begun and not come");

  private static final Status TOO_LARGE =
      Status.UNAVAILABLE.withDescription("the requests under way are too large for this server");

  private final Status late;
  private final long messageTimeoutNanos;
  private final long mostBytes;
  final int maxMessageBytes;

  /** What all calls hold. */
  private final AtomicLong bytes = new AtomicLong();

  /** Oldest first; guarded by itself, as are the phases of its calls. */
  private final Set<OpenCall<?, ?>> open = new LinkedHashSet<>();

  /** Those of them that wait, by connection, oldest first. */
  private final Map<Object, Set<OpenCall<?, ?>>> waiting = new HashMap<>();

  private int waitingCount;
  private int awaited;

  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(work -> ServiceServer.daemon(work, "open-calls"));

  /**
   * None is open.
   *
   * @param messageTimeout how long the first request of a call may take
   * @param maxMessageBytes of one request, once unpacked
   * @param mostBytes what the requests of all calls may hold together
   */
  OpenCalls(Duration messageTimeout, int maxMessageBytes, long mostBytes) {
    this.late =
        Status.DEADLINE_EXCEEDED.withDescription(
            "no request came within " + NumberText.general(messageTimeout.toMillis() / 1e3) + " s");
    this.messageTimeoutNanos = messageTimeout.toNanos();
    this.maxMessageBytes = maxMessageBytes;
    this.mostBytes = mostBytes;
    var unused =
        timer.scheduleWithFixedDelay(this::endLate, LOOK_MS, LOOK_MS, TimeUnit.MILLISECONDS);
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }

  /** What a call passes. */
  ServerInterceptor interceptor(boolean awaitedByDrain) {
    return new ServerInterceptor() {
      @Override
      public <Q, R> Listener<Q> interceptCall(
          ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
        OpenCall<Q, R> one =
            new OpenCall<>(OpenCalls.this, call, HeldBytes.current(), awaitedByDrain);
        add(one);
        try {
          return one.listener(next.startCall(one, headers));
        } catch (RuntimeException | Error error) {
          remove(one);
          throw error;
        }
      }
    };
  }

  private void add(OpenCall<?, ?> call) {
    OpenCall<?, ?> oldest = null;
    synchronized (open) {
      open.add(call);
      waiting.computeIfAbsent(call.connection, one -> new LinkedHashSet<>()).add(call);
      waitingCount++;
      awaited += call.awaited ? 1 : 0;
      if (waitingCount > MOST_WAITING) {
        oldest = Collections.max(waiting.values(), MORE).iterator().next();
      }
    }
    if (oldest != null) {
      oldest.evict(TOO_MANY);
    }
  }

  void remove(OpenCall<?, ?> call) {
    synchronized (open) {
      if (open.remove(call)) {
        awaited -= call.awaited ? 1 : 0;
        enter(call, OpenCall.Phase.ENDED);
        open.notifyAll();
      }
    }
  }

  /** Whether a call could go from one phase to another, which only this method does. */
  boolean enter(OpenCall<?, ?> call, OpenCall.Phase phase) {
    synchronized (open) {
      if (call.phase == OpenCall.Phase.ENDED) {
        return false;
      }
      if (call.phase == OpenCall.Phase.WAITS) {
        waitingCount--;
        Set<OpenCall<?, ?>> ofConnection = waiting.get(call.connection);
        ofConnection.remove(call);
        if (ofConnection.isEmpty()) {
          waiting.remove(call.connection);
        }
      }
      call.phase = phase;
      return true;
    }
  }

  /** Whether a call was answered, and now asks for its next request. */
  boolean becomesIdle(OpenCall<?, ?> call) {
    synchronized (open) {
      return call.phase == OpenCall.Phase.ANSWERED && enter(call, OpenCall.Phase.IDLE);
    }
  }

  /** Whether a call that is not being answered could be ended. */
  boolean endUnanswered(OpenCall<?, ?> call) {
    synchronized (open) {
      return call.phase != OpenCall.Phase.ANSWERED && enter(call, OpenCall.Phase.ENDED);
    }
  }

  private void endLate() {
    long now = System.nanoTime();
    List<OpenCall<?, ?>> late = new ArrayList<>();
    synchronized (open) {
      for (OpenCall<?, ?> call : open) {
        if (call.isWaiting() && now - call.begunNanos > messageTimeoutNanos) {
          late.add(call);
        }
      }
    }
    late.forEach(call -> call.evict(this.late));
  }

  /** Waits until no call is open that a drain waits for; whether that came about in time. */
  boolean awaitNone(Duration time) throws InterruptedException {
    long end = System.nanoTime() + time.toNanos();
    synchronized (open) {
      while (awaited > 0) {
        long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
        if (left <= 0) {
          return false;
        }
        open.wait(left);
      }
      return true;
    }
  }

  @Override
  public ServerStreamTracer newServerStreamTracer(String method, Metadata headers) {
    return new HeldBytes(this);
  }

  /** Counts what came, and makes room for it: the oldest goes that has sent a part only. */
  void hold(long size) {
    if (bytes.addAndGet(size) <= mostBytes) {
      return;
    }
    List<OpenCall<?, ?>> partial;
    synchronized (open) {
      partial = open.stream().filter(one -> one.received.size() > 0).toList();
    }
    for (OpenCall<?, ?> one : partial) {
      if (bytes.get() <= mostBytes) {
        return;
      }
      one.evict(TOO_LARGE);
    }
  }

  void release(long size) {
    bytes.addAndGet(-size);
  }

  /** For tests. */
  long bytes() {
    return bytes.get();
  }
}

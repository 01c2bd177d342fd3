package io.latecomer.services.server;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The streams of a server, so that a drain need not wait for them: between two requests a stream
 * can be ended without losing anything, and its client goes on elsewhere.
 */
final class OpenStreams {
  /** A stream that can be told to end; more than once does no harm. */
  interface Endable {
    void end(StatusRuntimeException reason);
  }

  private final Set<Endable> streams = ConcurrentHashMap.newKeySet();
  private volatile boolean draining;

  void add(Endable stream) {
    streams.add(stream);
    // Looked at after it was added: a drain that begins now finds it in the set, or is seen here.
    if (draining) {
      stream.end(reason());
    }
  }

  void remove(Endable stream) {
    streams.remove(stream);
  }

  /** Ends every stream, each after the answer it is working on, and every later one at once. */
  void drain() {
    draining = true;
    streams.forEach(stream -> stream.end(reason()));
  }

  /** For tests. */
  int count() {
    return streams.size();
  }

  private static StatusRuntimeException reason() {
    return Status.UNAVAILABLE.withDescription("the server is shutting down").asRuntimeException();
  }
}

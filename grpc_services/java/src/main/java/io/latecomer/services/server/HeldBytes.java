package io.latecomer.services.server;

import io.grpc.Context;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import java.util.concurrent.atomic.AtomicLong;

/** What one call has sent and is not answered yet. gRPC tells of it as it comes, part by part. */
final class HeldBytes extends ServerStreamTracer {
  private static final Context.Key<HeldBytes> KEY = Context.key("held-bytes");

  /** A part is an object or two, however few bytes it has. */
  private static final int PART_BYTES = 256;

  private final OpenCalls calls;
  private final AtomicLong size = new AtomicLong();
  private volatile boolean closed;

  HeldBytes(OpenCalls calls) {
    this.calls = calls;
  }

  /** Those of the call that is being worked on. */
  static HeldBytes current() {
    return KEY.get();
  }

  @Override
  public Context filterContext(Context context) {
    return context.withValue(KEY, this);
  }

  @Override
  public void inboundWireSize(long received) {
    if (!closed) {
      size.addAndGet(received + PART_BYTES);
      calls.hold(received + PART_BYTES);
    }
  }

  long size() {
    return size.get();
  }

  /** What was sent so far is done with. */
  void release() {
    calls.release(size.getAndSet(0));
  }

  void close() {
    closed = true;
    release();
  }

  @Override
  public void streamClosed(Status status) {
    close();
  }
}

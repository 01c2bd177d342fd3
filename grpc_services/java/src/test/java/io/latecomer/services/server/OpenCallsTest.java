package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.grpc.Attributes;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerCall;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class OpenCallsTest {
  private static final int MOST_BYTES = 10_000;

  private final OpenCalls calls = new OpenCalls(Duration.ofHours(1), MOST_BYTES, MOST_BYTES);

  @AfterEach
  void close() {
    calls.close();
  }

  /** A call as gRPC would bring it, and what became of it. */
  private static final class Brought extends ServerCall<InputStream, InputStream> {
    private final MethodType type;
    private final int port;
    private final ServerStreamTracer tracer;
    private final Listener<InputStream> listener;
    private final List<InputStream> requests = new ArrayList<>();
    private ServerCall<InputStream, InputStream> seen;
    private Status status;

    Brought(OpenCalls calls, MethodType type, int port) throws Exception {
      this.type = type;
      this.port = port;
      tracer = calls.newServerStreamTracer("service/method", new Metadata());
      Context context = tracer.filterContext(Context.ROOT);
      listener = context.call(() -> begin(calls));
    }

    private Listener<InputStream> begin(OpenCalls calls) {
      return calls
          .interceptor(true)
          .interceptCall(
              this,
              new Metadata(),
              (call, headers) -> {
                seen = call;
                return new Listener<>() {
                  @Override
                  public void onMessage(InputStream request) {
                    requests.add(request);
                  }
                };
              });
    }

    void sends(int bytes) {
      tracer.inboundWireSize(bytes);
    }

    void sendsWhole(int bytes) {
      sends(bytes);
      listener.onMessage(new ByteArrayInputStream(new byte[bytes]));
    }

    void ends() {
      listener.onCancel();
      tracer.streamClosed(Status.CANCELLED);
    }

    @Override
    public void close(Status given, Metadata trailers) {
      assertNull(status, "closed twice");
      status = given;
    }

    @Override
    public void request(int messages) {}

    @Override
    public void sendHeaders(Metadata headers) {}

    @Override
    public void sendMessage(InputStream answer) {}

    @Override
    public Attributes getAttributes() {
      SocketAddress peer = InetSocketAddress.createUnresolved("peer", port);
      return Attributes.newBuilder().set(Grpc.TRANSPORT_ATTR_REMOTE_ADDR, peer).build();
    }

    @Override
    public boolean isCancelled() {
      return false;
    }

    @Override
    public MethodDescriptor<InputStream, InputStream> getMethodDescriptor() {
      return MethodDescriptor.<InputStream, InputStream>newBuilder()
          .setType(type)
          .setFullMethodName("service/method")
          .setRequestMarshaller(new Bytes())
          .setResponseMarshaller(new Bytes())
          .build();
    }
  }

  private static final class Bytes implements MethodDescriptor.Marshaller<InputStream> {
    @Override
    public InputStream stream(InputStream bytes) {
      return bytes;
    }

    @Override
    public InputStream parse(InputStream bytes) {
      return bytes;
    }
  }

  private Brought unary() throws Exception {
    return new Brought(calls, MethodType.UNARY, 1);
  }

  @Test
  void aUnaryRequestIsPassedOnWithItsEnd() throws Exception {
    Brought call = unary();
    call.sendsWhole(100);
    assertEquals(0, call.requests.size());
    call.listener.onHalfClose();
    assertEquals(100, call.requests.get(0).available());
  }

  @Test
  void whereTooMuchIsHeldTheOldestGoesThatHasSentAPart() throws Exception {
    Brought silent = unary();
    Brought answered = unary();
    answered.sendsWhole(4_000);
    answered.listener.onHalfClose();
    Brought old = unary();
    old.sends(4_000);
    Brought young = unary();
    young.sends(4_000);
    assertEquals(
        "the requests under way are too large for this server", old.status.getDescription());
    assertEquals(Status.Code.UNAVAILABLE, old.status.getCode());
    assertNull(silent.status);
    assertNull(answered.status);
    assertNull(young.status);
    old.sends(4_000); // what was on its way is not counted
    old.seen.close(Status.INTERNAL, new Metadata()); // nor closed again
    assertEquals(2 * (4_000 + 256), calls.bytes());
  }

  @Test
  void whereAllThatIsHeldIsBeingAnsweredTheNewOneGoes() throws Exception {
    Brought answered = unary();
    answered.sendsWhole(9_000);
    answered.listener.onHalfClose();
    Brought late = unary();
    late.sends(1_000);
    assertEquals(Status.Code.UNAVAILABLE, late.status.getCode());
    answered.ends();
    late.ends();
    assertEquals(0, calls.bytes());
  }

  @Test
  void aPartOfAByteCostsMoreThanAByte() throws Exception {
    Brought call = unary();
    for (int i = 0; call.status == null; i++) {
      call.sends(1);
      assertEquals(true, i < 100);
    }
  }

  @Test
  void aStreamHoldsNothingBetweenTwoRequests() throws Exception {
    Brought stream = new Brought(calls, MethodType.BIDI_STREAMING, 1);
    for (int i = 0; i < 10; i++) {
      stream.sendsWhole(4_000);
      assertEquals(4_256, calls.bytes());
      stream.seen.request(1);
      assertEquals(0, calls.bytes());
    }
    stream.sends(4_000);
    Brought other = unary();
    other.sends(6_000);
    assertEquals(Status.Code.UNAVAILABLE, stream.status.getCode());
  }

  @Test
  void ofTooManySilentCallsTheOldestGoesOfTheConnectionThatHasMost() throws Exception {
    Brought elsewhere = new Brought(calls, MethodType.UNARY, 2);
    List<Brought> silent = new ArrayList<>();
    for (int i = 0; i < 1_002; i++) {
      silent.add(unary());
    }
    assertNull(elsewhere.status);
    for (int i = 0; i < silent.size(); i++) {
      assertEquals(i < 3, silent.get(i).status != null, "call " + i);
    }
    assertEquals(
        "too many requests have begun and not come", silent.get(0).status.getDescription());
  }

  @Test
  void aDrainWaitsForCallsUntilTheyEnd() throws Exception {
    Brought call = unary();
    assertEquals(false, calls.awaitNone(Duration.ofMillis(10)));
    call.ends();
    assertEquals(true, calls.awaitNone(Duration.ZERO));
  }
}

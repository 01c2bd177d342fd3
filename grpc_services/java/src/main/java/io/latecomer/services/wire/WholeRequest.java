package io.latecomer.services.wire;

import io.grpc.KnownLength;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/** The bytes of one whole request, as a stream whose array can be had without a copy. */
public final class WholeRequest extends ByteArrayInputStream {
  private WholeRequest(byte[] bytes) {
    super(bytes);
  }

  /**
   * Reads a stream to its end, at most as far as gRPC lets it be unpacked.
   *
   * @param maxMessageBytes how far that is, for the text
   * @throws RequestError if it cannot be unpacked
   * @throws StatusRuntimeException if it is larger
   */
  public static WholeRequest of(InputStream stream, int maxMessageBytes) {
    if (stream instanceof WholeRequest whole) {
      return whole;
    }
    try {
      return new WholeRequest(
          stream instanceof KnownLength ? known(stream) : stream.readAllBytes());
    } catch (IOException | StackOverflowError error) {
      // The JDK's reader calls itself for each empty member, of twenty bytes, that gzip may hold.
      throw new RequestError("request: these bytes are not gzip");
    } catch (StatusRuntimeException error) {
      throw Status.RESOURCE_EXHAUSTED
          .withDescription("request: larger than " + maxMessageBytes + " bytes once unpacked")
          .asRuntimeException();
    }
  }

  /** One array of the right size. */
  private static byte[] known(InputStream stream) throws IOException {
    byte[] bytes = new byte[stream.available()];
    int read = stream.readNBytes(bytes, 0, bytes.length);
    return read == bytes.length ? bytes : Arrays.copyOf(bytes, read);
  }

  byte[] bytes() {
    return buf;
  }
}

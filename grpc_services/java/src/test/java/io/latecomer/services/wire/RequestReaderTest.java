package io.latecomer.services.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.WireFormat;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.examples.ml.FeatureEngineeringServiceGrpc;
import io.grpc.examples.ml.PredictionServiceGrpc;
import io.grpc.examples.ml.RawEventList;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.InferenceServiceGrpc;
import io.latecomer.v1.WindowBatch;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class RequestReaderTest {
  private static final int MOST = RequestReader.MOST_FIELDS;

  private static Object read(String message, byte[] bytes) {
    var service =
        switch (message) {
          case "RawEventList" ->
              new FeatureEngineeringServiceGrpc
                  .FeatureEngineeringServiceImplBase() {}.bindService();
          case "FeatureList" ->
              new PredictionServiceGrpc.PredictionServiceImplBase() {}.bindService();
          case "WindowBatch" -> new FeatureServiceGrpc.FeatureServiceImplBase() {}.bindService();
          default -> new InferenceServiceGrpc.InferenceServiceImplBase() {}.bindService();
        };
    return RequestReader.bounded(service).getMethods().stream()
        .map(method -> method.getMethodDescriptor())
        .filter(method -> !"Describe".equals(method.getBareMethodName()))
        .findFirst()
        .orElseThrow()
        .parseRequest(new ByteArrayInputStream(bytes));
  }

  /** Fields with nothing in them: two bytes each. */
  private static byte[] fields(int number, int count, int more) {
    byte[] bytes = new byte[2 * count + more];
    for (int i = 0; i < count; i++) {
      bytes[2 * i] = (byte) (number << 3 | WireFormat.WIRETYPE_LENGTH_DELIMITED);
    }
    return bytes;
  }

  @ParameterizedTest
  @CsvSource({
    "RawEventList, 2",
    "FeatureList, 2",
    "WindowBatch, 1",
    "WindowBatch, 2",
    "WindowBatch, 5",
    "FeatureBatch, 2",
    "FeatureBatch, 4",
    "FeatureBatch, 15"
  })
  void fieldsAreCountedBeforeTheyBecomeObjects(String message, int number) {
    assertEquals(message, read(message, fields(number, MOST, 0)).getClass().getSimpleName());
    StatusRuntimeException error =
        assertThrows(
            StatusRuntimeException.class, () -> read(message, fields(number, MOST + 1, 0)));
    assertEquals(Status.Code.RESOURCE_EXHAUSTED, error.getStatus().getCode());
    assertEquals("request: more than 262144 fields", error.getStatus().getDescription());
  }

  @Test
  void aLongRequestThatIsNoMessageIsToldSo() {
    RequestError error =
        assertThrows(RequestError.class, () -> read("RawEventList", fields(2, MOST, 1)));
    assertEquals("request: these bytes are not a message of this method", error.getMessage());
  }

  @Test
  void fieldsThatNobodyKnowsAreNotKept() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    out.writeString(1, "e");
    out.writeInt64(99, 7);
    out.flush();
    assertEquals(
        WindowBatch.newBuilder().addSensor("e").build(), read("WindowBatch", bytes.toByteArray()));
    byte[] event = {18, 3, (byte) 0xf8, 1, 7}; // field 31 of an event
    assertEquals(
        RawEventList.newBuilder().addEventBuilder().build(),
        ((RawEventList) read("RawEventList", event)).getEvent(0));
  }
}

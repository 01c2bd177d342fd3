package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.examples.ml.FeatureEngineeringServiceGrpc;
import io.grpc.examples.ml.RawEventList;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.stub.StreamObserver;
import io.latecomer.services.wire.Compression;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.WindowBatch;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
final class ServiceServerTest {
  private final WindowBatch batch = Batches.random(new Random(2), 3, 4);

  /** Sends bytes as they are. */
  private static final class Raw implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException error) {
        throw new AssertionError(error);
      }
    }
  }

  private static Received<byte[]> callWithBytes(
      RunningServer running, String method, byte[] bytes, CallOptions options) {
    MethodDescriptor<byte[], byte[]> raw =
        MethodDescriptor.newBuilder(new Raw(), new Raw())
            .setType(MethodType.UNARY)
            .setFullMethodName(method)
            .build();
    Received<byte[]> received = new Received<>();
    ClientCall<byte[], byte[]> call = running.channel.newCall(raw, options);
    call.start(received, new Metadata());
    call.request(2);
    call.sendMessage(bytes);
    call.halfClose();
    return received;
  }

  private static ServingStatus health(RunningServer running, String service) {
    HealthCheckRequest request = HealthCheckRequest.newBuilder().setService(service).build();
    return HealthGrpc.newBlockingStub(running.channel).check(request).getStatus();
  }

  @ParameterizedTest
  @CsvSource({
    "FEATURES, mlpipeline.FeatureEngineeringService, latecomer.v1.FeatureService",
    "INFERENCE, mlpipeline.PredictionService, latecomer.v1.InferenceService",
  })
  void healthIsToldOfEachServiceAndOfTheWhole(Service service, String original, String batches)
      throws Exception {
    try (RunningServer running = RunningServer.of(service)) {
      assertEquals(ServingStatus.SERVING, health(running, ""));
      assertEquals(ServingStatus.SERVING, health(running, original));
      assertEquals(ServingStatus.SERVING, health(running, batches));
      StatusRuntimeException unknown =
          assertThrows(StatusRuntimeException.class, () -> health(running, "unknown"));
      assertEquals(Status.Code.NOT_FOUND, unknown.getStatus().getCode());
    }
  }

  @Test
  void reflectionListsBothForms() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES)) {
      Received<ServerReflectionResponse> received = new Received<>();
      StreamObserver<ServerReflectionRequest> requests =
          ServerReflectionGrpc.newStub(running.channel).serverReflectionInfo(received);
      requests.onNext(ServerReflectionRequest.newBuilder().setListServices("").build());
      List<String> names =
          received.answer().getListServicesResponse().getServiceList().stream()
              .map(service -> service.getName())
              .toList();
      assertTrue(names.contains("latecomer.v1.FeatureService"));
      assertTrue(names.contains("mlpipeline.FeatureEngineeringService"));
      requests.onCompleted();
    }
  }

  @Test
  void bytesThatAreNoMessageAreAnInvalidArgument() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES)) {
      Received<byte[]> received =
          callWithBytes(
              running,
              "latecomer.v1.FeatureService/EngineerFeatures",
              new byte[] {10, 100, 1},
              CallOptions.DEFAULT);
      assertEquals(
          "INVALID_ARGUMENT request: these bytes are not a message of this method",
          received.statusText());
    }
  }

  @Test
  void anEmptyWindowIsAnInvalidArgumentOfTheOriginalCall() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES)) {
      var stub = FeatureEngineeringServiceGrpc.newBlockingStub(running.channel);
      StatusRuntimeException error =
          assertThrows(
              StatusRuntimeException.class,
              () -> stub.engineerFeatures(RawEventList.getDefaultInstance()));
      assertEquals(Status.Code.INVALID_ARGUMENT, error.getStatus().getCode());
      assertEquals("event: the window holds no event", error.getStatus().getDescription());
    }
  }

  @ParameterizedTest
  @CsvSource({"none", "gzip"})
  void aRequestAboveTheLimitIsResourceExhausted(Compression compression) throws Exception {
    try (RunningServer running =
        RunningServer.of(Service.FEATURES, limits(4096, Duration.ofSeconds(10)), compression)) {
      var stub = FeatureServiceGrpc.newBlockingStub(running.channel);
      stub = compression == Compression.gzip ? stub.withCompression("gzip") : stub;
      WindowBatch large = Batches.random(new Random(1), 1_000);
      var asked = stub;
      StatusRuntimeException error =
          assertThrows(StatusRuntimeException.class, () -> asked.engineerFeatures(large));
      assertEquals(Status.Code.RESOURCE_EXHAUSTED, error.getStatus().getCode());
      assertEquals(Batches.features(batch), stub.engineerFeatures(batch));
    }
  }

  private static LimitSettings limits(int maxMessageBytes, Duration messageTimeout) {
    LimitSettings usual = LimitSettings.DEFAULT;
    return new LimitSettings(
        maxMessageBytes,
        usual.maxConcurrentCalls(),
        messageTimeout,
        usual.drain(),
        usual.grace(),
        usual.maxConnectionAge(),
        usual.maxConnectionAgeGrace());
  }

  @Test
  void aPackedRequestIsRefusedUnlessItIsAskedFor() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES)) {
      var stub = FeatureServiceGrpc.newBlockingStub(running.channel);
      StatusRuntimeException error =
          assertThrows(
              StatusRuntimeException.class,
              () -> stub.withCompression("gzip").engineerFeatures(batch));
      assertEquals(Status.Code.UNIMPLEMENTED, error.getStatus().getCode());
      assertEquals(Batches.features(batch), stub.engineerFeatures(batch));
    }
  }

  @Test
  void aPackedRequestIsUnpackedUpToTheLimit() throws Exception {
    try (RunningServer running =
        RunningServer.of(
            Service.FEATURES, limits(1 << 17, Duration.ofSeconds(10)), Compression.gzip)) {
      byte[] bomb = new byte[100 << 20]; // a hundred kilobytes, packed
      Received<byte[]> received =
          callWithBytes(
              running,
              "latecomer.v1.FeatureService/EngineerFeatures",
              bomb,
              CallOptions.DEFAULT.withCompression("gzip"));
      assertEquals(
          "RESOURCE_EXHAUSTED request: larger than 131072 bytes once unpacked",
          received.statusText());
    }
  }

  @Test
  void aCallWhoseRequestDoesNotComeEnds() throws Exception {
    try (RunningServer running =
        RunningServer.of(
            Service.FEATURES, limits(1 << 16, Duration.ofMillis(100)), Compression.none)) {
      Received<FeatureBatch> received = new Received<>();
      running
          .channel
          .newCall(FeatureServiceGrpc.getStreamFeaturesMethod(), CallOptions.DEFAULT)
          .start(received, new Metadata());
      assertEquals("DEADLINE_EXCEEDED no request came within 0.1 s", received.statusText());
    }
  }

  @Test
  void callsWithoutARequestHoldNoPlaceOfThoseThatAreAnswered() throws Exception {
    try (RunningServer running =
        RunningServer.of(Service.FEATURES, 1 << 20, 1, Duration.ofSeconds(30))) {
      for (int i = 0; i < 20; i++) {
        running
            .channel
            .newCall(FeatureServiceGrpc.getStreamFeaturesMethod(), CallOptions.DEFAULT)
            .start(new Received<>(), new Metadata());
      }
      assertEquals(
          Batches.features(batch),
          FeatureServiceGrpc.newBlockingStub(running.channel).engineerFeatures(batch));
      assertEquals(ServingStatus.SERVING, health(running, ""));
    }
  }

  @Test
  void aConnectionMayWatchEightTimesAtOnce() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES)) {
      HealthGrpc.HealthStub stub = HealthGrpc.newStub(running.channel);
      for (int i = 0; i < 8; i++) {
        Received<HealthCheckResponse> watching = new Received<>();
        stub.watch(HealthCheckRequest.getDefaultInstance(), watching);
        assertEquals(ServingStatus.SERVING, watching.answer().getStatus());
      }
      Received<HealthCheckResponse> refused = new Received<>();
      stub.watch(HealthCheckRequest.getDefaultInstance(), refused);
      assertEquals("RESOURCE_EXHAUSTED a connection may watch 8 times", refused.statusText());
      assertEquals(ServingStatus.SERVING, health(running, ""));
    }
  }

  @Test
  void aCallAboveTheLimitIsUnavailableUntilAnotherOneEnds() throws Exception {
    try (RunningServer running =
        RunningServer.of(Service.FEATURES, 1 << 20, 1, Duration.ofSeconds(30))) {
      var stub = FeatureServiceGrpc.newBlockingStub(running.channel);
      Received<FeatureBatch> received = new Received<>();
      StreamObserver<WindowBatch> requests =
          FeatureServiceGrpc.newStub(running.channel).streamFeatures(received);
      requests.onNext(batch);
      received.answer(); // now the stream is open on the server
      StatusRuntimeException error =
          assertThrows(StatusRuntimeException.class, () -> stub.engineerFeatures(batch));
      assertEquals(Status.Code.UNAVAILABLE, error.getStatus().getCode());
      assertEquals(
          "the limit of 1 concurrent calls is reached", error.getStatus().getDescription());
      assertEquals(ServingStatus.SERVING, health(running, ""));
      requests.onCompleted();
      received.status();
      assertEquals(Batches.features(batch), untilAvailable(stub));
    }
  }

  /** The client may know that the stream has ended just before the server counts it. */
  private FeatureBatch untilAvailable(FeatureServiceGrpc.FeatureServiceBlockingStub stub) {
    while (true) {
      try {
        return stub.engineerFeatures(batch);
      } catch (StatusRuntimeException error) {
        assertEquals(Status.Code.UNAVAILABLE, error.getStatus().getCode());
      }
    }
  }

  /** RFC 9113, section 6.5: the first frame, whose header is 9 bytes, is of settings of 6 bytes. */
  @ParameterizedTest
  @CsvSource({"8, 100", "500, 500"})
  void aConnectionMayHaveOneHundredStreamsOrAsManyAsAreAnswered(int maxCalls, int expected)
      throws Exception {
    try (RunningServer running =
            RunningServer.of(Service.FEATURES, 1 << 20, maxCalls, Duration.ofSeconds(30));
        Socket connection = new Socket(InetAddress.getLoopbackAddress(), running.server.port())) {
      DataInputStream frame = new DataInputStream(connection.getInputStream());
      int size = frame.readInt() >> 8;
      frame.skipBytes(5);
      Map<Integer, Integer> settings = new HashMap<>();
      for (int i = 0; i < size / 6; i++) {
        settings.put((int) frame.readShort(), frame.readInt());
      }
      assertEquals(expected, settings.get(3)); // SETTINGS_MAX_CONCURRENT_STREAMS
    }
  }

  @Test
  void aTakenPortIsAFailureToStart() throws Exception {
    try (RunningServer running = RunningServer.of(Service.FEATURES)) {
      ServerSettings same =
          ServerSettings.of(Service.INFERENCE, "127.0.0.1", running.server.port());
      assertThrows(IOException.class, () -> ServiceServer.start(same));
    }
  }
}

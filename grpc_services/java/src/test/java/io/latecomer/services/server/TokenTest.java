package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.latecomer.services.SettingsError;
import io.latecomer.services.security.Authority;
import io.latecomer.services.security.Issuer;
import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.WindowBatch;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A server that checks tokens, over TLS. */
@Timeout(60)
final class TokenTest {
  private static final String NOT_VALID = "UNAUTHENTICATED the token is missing or not valid";
  private static final String NOT_ALLOWED = "PERMISSION_DENIED the token does not allow this";
  private static final Issuer ISSUER = new Issuer("first");

  @TempDir static Path folder;

  private static final WindowBatch BATCH = Batches.random(new Random(2), 3, 4);
  private static SecuredServer secured;
  private static ManagedChannel channel;

  @BeforeAll
  static void start() throws Exception {
    secured = new SecuredServer(folder);
    Authority.replace(secured.jwks, Issuer.jwks(ISSUER));
    secured.start(Service.FEATURES, false, true);
    channel = secured.channel();
  }

  @AfterAll
  static void stop() throws Exception {
    channel.shutdownNow();
    secured.close();
  }

  private static String call(String header) {
    return call(channel, header);
  }

  private static String call(ManagedChannel channel, String header) {
    try {
      FeatureServiceGrpc.newBlockingStub(channel)
          .withCallCredentials(SecuredServer.authorization(header))
          .engineerFeatures(BATCH);
      return "OK";
    } catch (StatusRuntimeException error) {
      return error.getStatus().getCode() + " " + error.getStatus().getDescription();
    }
  }

  private static Date in(int seconds) {
    return Date.from(Instant.now().plusSeconds(seconds));
  }

  static Stream<Arguments> headers() {
    return Stream.of(
        Arguments.of("good", "Bearer " + ISSUER.token(), "OK"),
        Arguments.of("the scheme in small letters", "bearer " + ISSUER.token(), "OK"),
        Arguments.of("within the skew", expiring(-20), "OK"),
        Arguments.of("scope as a list", scope(List.of("a", "latecomer.features")), "OK"),
        Arguments.of("missing", null, NOT_VALID),
        Arguments.of("no token", "Bearer ", NOT_VALID),
        Arguments.of("another scheme", "Basic " + ISSUER.token(), NOT_VALID),
        Arguments.of("no JWT", "Bearer abc.def", NOT_VALID),
        Arguments.of("expired", expiring(-60), NOT_VALID),
        Arguments.of("without end", bearer(Issuer.claims().expirationTime(null)), NOT_VALID),
        Arguments.of("too early", bearer(Issuer.claims().notBeforeTime(in(60))), NOT_VALID),
        Arguments.of("other audience", bearer(Issuer.claims().audience("other")), NOT_VALID),
        Arguments.of("no audience", bearer(Issuer.claims().audience((String) null)), NOT_VALID),
        Arguments.of("other issuer", bearer(Issuer.claims().issuer("other")), NOT_VALID),
        Arguments.of("not signed", "Bearer " + Issuer.unsigned(), NOT_VALID),
        Arguments.of("by the public key", "Bearer " + ISSUER.signedWithPublicKey(), NOT_VALID),
        Arguments.of("unknown key", "Bearer " + new Issuer("unknown").token(), NOT_VALID),
        Arguments.of("unknown key, known id", "Bearer " + new Issuer("first").token(), NOT_VALID),
        Arguments.of("lacks the scope", scope("latecomer.inference"), NOT_ALLOWED),
        Arguments.of("a part of the scope", scope("latecomer.features.read"), NOT_ALLOWED),
        Arguments.of("no scope", scope(null), NOT_ALLOWED),
        Arguments.of("scope of another kind", scope(7), NOT_ALLOWED));
  }

  private static String bearer(com.nimbusds.jwt.JWTClaimsSet.Builder claims) {
    return "Bearer " + ISSUER.sign(claims);
  }

  private static String expiring(int seconds) {
    return bearer(Issuer.claims().expirationTime(in(seconds)));
  }

  private static String scope(Object scope) {
    return bearer(Issuer.claims().claim("scope", scope));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("headers")
  void aCallIsLetInOnlyWithAGoodToken(String name, String header, String expected) {
    assertEquals(expected, call(header), name);
    assertEquals(expected, call(header), name + ", again");
  }

  @ParameterizedTest(name = "scope {0}, subject {1}")
  @MethodSource("subjects")
  void whereSubjectsAreNamedOnlyTheyMayCall(
      String scope, String subject, Object claimed, String expected, @TempDir Path own)
      throws Exception {
    try (SecuredServer server = new SecuredServer(own)) {
      Authority.replace(server.jwks, Issuer.jwks(ISSUER));
      server.start(Service.FEATURES, false, server.rules(scope, List.of("one", "two")));
      ManagedChannel channel = server.channel();
      assertEquals(
          expected,
          call(channel, bearer(Issuer.claims().subject(subject).claim("scope", claimed))));
      channel.shutdownNow();
    }
  }

  static Stream<Arguments> subjects() {
    String features = "latecomer.features";
    return Stream.of(
        Arguments.of(null, "two", null, "OK"),
        Arguments.of(null, "another", features, NOT_ALLOWED),
        Arguments.of(null, null, features, NOT_ALLOWED),
        Arguments.of(features, "one", features, "OK"),
        Arguments.of(features, "one", null, NOT_ALLOWED));
  }

  @Test
  void anUnnamedSubjectOrNeitherSubjectNorScopeIsASettingsError() {
    assertThrows(SettingsError.class, () -> secured.rules(null, List.of("one", " ")));
    assertThrows(SettingsError.class, () -> secured.rules(null, List.of()));
  }

  @Test
  void aTokenIsLookedAtBeforeTheMessageComes() throws Exception {
    Received<FeatureBatch> refused = new Received<>();
    channel
        .newCall(FeatureServiceGrpc.getStreamFeaturesMethod(), CallOptions.DEFAULT)
        .start(refused, new Metadata());
    assertEquals(NOT_VALID, refused.statusText());
  }

  @Test
  void streamsAreCheckedToo() throws Exception {
    Received<FeatureBatch> refused = new Received<>();
    FeatureServiceGrpc.newStub(channel).streamFeatures(refused).onNext(BATCH);
    assertEquals(NOT_VALID, refused.statusText());
    Received<FeatureBatch> received = new Received<>();
    var requests =
        FeatureServiceGrpc.newStub(channel)
            .withCallCredentials(SecuredServer.authorization("Bearer " + ISSUER.token()))
            .streamFeatures(received);
    requests.onNext(BATCH);
    assertEquals(Batches.features(BATCH), received.answer());
    requests.onCompleted();
    assertEquals("OK null", received.statusText());
  }

  @Test
  void healthNeedsNoTokenAndReflectionDoes() throws Exception {
    assertEquals(
        ServingStatus.SERVING,
        HealthGrpc.newBlockingStub(channel)
            .check(HealthCheckRequest.getDefaultInstance())
            .getStatus());
    Received<ServerReflectionResponse> received = new Received<>();
    ServerReflectionGrpc.newStub(channel)
        .serverReflectionInfo(received)
        .onNext(ServerReflectionRequest.newBuilder().setListServices("").build());
    assertEquals(NOT_VALID, received.statusText());
  }

  @Test
  void aKeySetThatCannotServeIsASettingsErrorWithoutItsSecrets(@TempDir Path other)
      throws Exception {
    for (String text : List.of(ISSUER.privateJwks(), "{\"keys\":[]}", "secret", "")) {
      SecuredServer broken = new SecuredServer(other);
      Authority.replace(broken.jwks, text);
      String message =
          assertThrows(SettingsError.class, () -> broken.start(Service.FEATURES, false, true))
              .getMessage();
      String expected =
          text.startsWith("{\"keys\":[]")
              ? "holds no key for RS256, ES256"
              : text.startsWith("{")
                  ? "holds a secret key; the set must hold public keys only"
                  : "is not a JSON Web Key Set, or a key in it is damaged";
      assertEquals("jwks: " + broken.jwks + " " + expected, message);
    }
  }
}

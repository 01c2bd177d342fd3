package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.latecomer.services.SettingsError;
import io.latecomer.services.security.Authority;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.WindowBatch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPairGenerator;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
final class TlsTest {
  private static final Authority STRANGER = new Authority("another CA");

  private final WindowBatch batch = Batches.random(new Random(2), 3, 4);

  @TempDir Path folder;
  private SecuredServer secured;

  @BeforeEach
  void files() throws Exception {
    secured = new SecuredServer(folder);
  }

  private String call(ChannelCredentials credentials) {
    ManagedChannel channel = Grpc.newChannelBuilder(secured.server.address(), credentials).build();
    try {
      FeatureServiceGrpc.newBlockingStub(channel).engineerFeatures(batch);
      return "OK";
    } catch (StatusRuntimeException error) {
      return error.getStatus().getCode().toString();
    } finally {
      channel.shutdownNow();
    }
  }

  @Test
  void aServerIsTrustedByItsCaItsNameAndItsTime() throws Exception {
    try (SecuredServer running = secured.start(Service.FEATURES, false, false)) {
      assertEquals("OK", call(SecuredServer.trusting(SecuredServer.AUTHORITY).build()));
      assertEquals("UNAVAILABLE", call(SecuredServer.trusting(STRANGER).build()));
      assertEquals("UNAVAILABLE", call(InsecureChannelCredentials.create()));
      assertTrue(running.server.port() > 0);
    }
  }

  @Test
  void aServerWithACertificateForAnotherHostIsRefused() throws Exception {
    SecuredServer.AUTHORITY.issue("other.test").writeTo(secured.cert, secured.key);
    try (SecuredServer running = secured.start(Service.FEATURES, false, false)) {
      assertEquals("UNAVAILABLE", call(SecuredServer.trusting(SecuredServer.AUTHORITY).build()));
      assertTrue(running.server.port() > 0);
    }
  }

  @Test
  void aServerWithAnExpiredCertificateIsRefused() throws Exception {
    Instant past = Instant.now().minusSeconds(60);
    SecuredServer.AUTHORITY.issue("127.0.0.1", past).writeTo(secured.cert, secured.key);
    try (SecuredServer running = secured.start(Service.FEATURES, false, false)) {
      assertEquals("UNAVAILABLE", call(SecuredServer.trusting(SecuredServer.AUTHORITY).build()));
      assertTrue(running.server.port() > 0);
    }
  }

  @Test
  void aClientMustShowACertificateOfTheCaWhereOneIsSet() throws Exception {
    Authority.Identity good = SecuredServer.AUTHORITY.issue("client.test");
    Authority.Identity expired =
        SecuredServer.AUTHORITY.issue("client.test", Instant.now().minusSeconds(60));
    try (SecuredServer running = secured.start(Service.FEATURES, true, false)) {
      assertEquals("OK", call(SecuredServer.showing(good).build()));
      assertEquals("UNAVAILABLE", call(SecuredServer.showing(expired).build()));
      assertEquals(
          "UNAVAILABLE", call(SecuredServer.showing(STRANGER.issue("client.test")).build()));
      assertEquals("UNAVAILABLE", call(SecuredServer.trusting(SecuredServer.AUTHORITY).build()));
      assertTrue(running.server.port() > 0);
    }
  }

  private String refusal() {
    return assertThrows(
            SettingsError.class, () -> secured.start(Service.FEATURES, true, false).close())
        .getMessage();
  }

  @ParameterizedTest
  @CsvSource({"Ed25519, 255", "EC, 521", "RSA, 1024"})
  void aCertificateOfAKeyThatNoHandshakeCanBeSignedByIsRefusedAtTheStart(String kind, int bits)
      throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance(kind);
    generator.initialize(bits);
    Instant until = Instant.now().plusSeconds(600);
    SecuredServer.AUTHORITY
        .issue("127.0.0.1", until, generator.generateKeyPair())
        .writeTo(secured.cert, secured.key);
    assertEquals(
        "tls-cert: "
            + secured.cert
            + " needs a key of RSA of 2048 bits or more, or EC on P-256 or P-384",
        refusal());
  }

  @ParameterizedTest
  @CsvSource({"EC, 256", "EC, 384", "RSA, 2048"})
  void aCertificateOfAnotherKeyServes(String kind, int bits) throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance(kind);
    generator.initialize(bits);
    Instant until = Instant.now().plusSeconds(600);
    SecuredServer.AUTHORITY
        .issue("127.0.0.1", until, generator.generateKeyPair())
        .writeTo(secured.cert, secured.key);
    try (SecuredServer running = secured.start(Service.FEATURES, false, false)) {
      assertEquals("OK", call(SecuredServer.trusting(SecuredServer.AUTHORITY).build()));
      assertTrue(running.server.port() > 0);
    }
  }

  @Test
  void onceTheAuthoritiesOfClientsAreTakenOutOfTheirFileNobodyNewIsLetIn() throws Exception {
    String own = Files.readString(secured.clientCa);
    ChannelCredentials allowed =
        SecuredServer.showing(SecuredServer.AUTHORITY.issue("client.test")).build();
    try (SecuredServer running = secured.start(Service.FEATURES, true, false)) {
      for (String emptied : List.of("", "# none of them may come any more\n")) {
        assertEquals("OK", call(allowed));
        Authority.replace(secured.clientCa, emptied);
        awaits("UNAVAILABLE", allowed);
        Authority.replace(secured.clientCa, own);
        awaits("OK", allowed);
      }
      assertTrue(running.server.port() > 0);
    }
  }

  private void awaits(String status, ChannelCredentials credentials) {
    String found;
    do { // until the file is looked at; the test has a limit
      found = call(credentials);
    } while (!found.equals(status));
  }

  @Test
  void filesThatCannotBeUsedAreNamedAndNotQuoted() throws Exception {
    String key = Files.readString(secured.key);
    Authority.replace(secured.key, "a secret");
    assertEquals(
        "tls-key: "
            + secured.key
            + " has no RSA or EC private key in PEM form (PKCS #8, not encrypted)",
        refusal());
    Authority.replace(secured.key, STRANGER.issue("127.0.0.1").key());
    assertEquals(
        "tls-key: " + secured.key + " is not the key of the certificate in " + secured.cert,
        refusal());
    Authority.replace(secured.key, key);
    Authority.replace(secured.clientCa, key);
    assertEquals(
        "tls-client-ca: " + secured.clientCa + " has no certificate in PEM form", refusal());
    Files.delete(secured.cert);
    assertEquals("tls-cert: " + secured.cert + " cannot be read: NoSuchFileException", refusal());
  }
}

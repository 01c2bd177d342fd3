package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.latecomer.services.security.Authority;
import io.latecomer.services.security.Issuer;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.WindowBatch;
import java.io.ByteArrayInputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Certificates and keys change while calls run, on old and on new connections. */
@Timeout(60)
final class RotationTest {
  private final WindowBatch batch = Batches.random(new Random(2), 3, 4);
  private final Issuer first = new Issuer("first");
  private final Issuer second = new Issuer("second");
  private final AtomicReference<String> token = new AtomicReference<>(first.token());
  private final AtomicBoolean enough = new AtomicBoolean();

  @TempDir Path folder;

  private void call(ManagedChannel channel, String bearer) {
    FeatureServiceGrpc.newBlockingStub(channel)
        .withCallCredentials(SecuredServer.authorization("Bearer " + bearer))
        .engineerFeatures(batch);
  }

  /** Calls until told to stop, every tenth on a new connection; how many. Any failure is thrown. */
  private CompletableFuture<Integer> load(SecuredServer secured) {
    return CompletableFuture.supplyAsync(
        () -> {
          int calls = 0;
          while (!enough.get()) {
            try {
              ManagedChannel channel = secured.channel();
              try {
                for (int i = 0; i < 10; i++) {
                  call(channel, token.get());
                  calls++;
                }
              } finally {
                channel.shutdownNow();
              }
            } catch (Exception error) {
              throw new IllegalStateException("after " + calls + " calls", error);
            }
          }
          return calls;
        });
  }

  private static BigInteger serialShown(SecuredServer secured) throws Exception {
    CertificateFactory factory = CertificateFactory.getInstance("X.509");
    byte[] ca = SecuredServer.AUTHORITY.certificate().getBytes(StandardCharsets.UTF_8);
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null);
    store.setCertificateEntry("ca", factory.generateCertificate(new ByteArrayInputStream(ca)));
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    try (SSLSocket socket =
        (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", secured.server.port())) {
      var parameters = socket.getSSLParameters();
      parameters.setApplicationProtocols(new String[] {"h2"});
      socket.setSSLParameters(parameters);
      Certificate[] shown = socket.getSession().getPeerCertificates();
      return ((X509Certificate) shown[0]).getSerialNumber();
    }
  }

  private boolean isTaken(ManagedChannel channel, String bearer) {
    try {
      call(channel, bearer);
      return true;
    } catch (StatusRuntimeException error) {
      return false;
    }
  }

  @Test
  void aNewCertificateAndANewKeySetCostNoCall() throws Exception {
    try (SecuredServer secured = new SecuredServer(folder)) {
      Authority.replace(secured.jwks, Issuer.jwks(first));
      secured.start(Service.FEATURES, false, true);
      ManagedChannel old = secured.channel();
      call(old, token.get());
      CompletableFuture<Integer> load = load(secured);

      Authority.Identity next = SecuredServer.AUTHORITY.issue("127.0.0.1");
      next.writeTo(secured.cert, secured.key);
      while (!load.isDone() && !serialShown(secured).equals(next.serial())) {
        Thread.onSpinWait();
      }
      Authority.replace(secured.jwks, Issuer.jwks(first, second)); // both for a while
      while (!load.isDone() && !isTaken(old, second.token())) {
        Thread.onSpinWait();
      }
      token.set(second.token());
      enough.set(true);
      assertTrue(load.get() > 0);

      String former = first.token();
      Authority.replace(secured.jwks, Issuer.jwks(second)); // then the first is taken back
      while (isTaken(old, former)) {
        Thread.onSpinWait();
      }
      call(old, second.token());
      old.shutdownNow();
    }
  }

  @Test
  void filesThatCannotBeUsedLeaveTheLastGoodOnesInForce() throws Exception {
    try (SecuredServer secured = new SecuredServer(folder)) {
      Authority.replace(secured.jwks, Issuer.jwks(first));
      secured.start(Service.FEATURES, false, true);
      BigInteger serial = serialShown(secured);
      try (LogLines log = new LogLines()) {
        Authority.replace(secured.key, "half a k");
        Authority.replace(secured.jwks, "{\"keys\":");
        log.await("what was there before stays in use", 2);
        assertEquals(-1, log.text().indexOf("half a k"));
      }
      assertEquals(serial, serialShown(secured));
      ManagedChannel channel = secured.channel();
      call(channel, first.token());
      channel.shutdownNow();
    }
  }
}

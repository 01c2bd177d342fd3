package io.latecomer.services.security;

import io.grpc.util.AdvancedTlsX509KeyManager;
import io.grpc.util.AdvancedTlsX509TrustManager;
import io.grpc.util.CertificateUtils;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.EllipticCurve;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.net.ssl.KeyManager;
import javax.net.ssl.TrustManager;

/**
 * Who this side of a connection is, and whom it trusts, out of PEM files that may change. A new
 * certificate is for new connections; those that stand go on.
 */
public final class Certificates {
  private static final int LEAST_RSA_BITS = 2_048;

  private static final String BEGIN = "-----BEGIN CERTIFICATE-----";

  private static final Logger logger = Logger.getLogger(Certificates.class.getName());

  /** gRPC's library signs no handshake by another key: its server would take no connection. */
  private static final List<EllipticCurve> CURVES = List.of(curve("secp256r1"), curve("secp384r1"));

  /** Signed and verified once, to see that a key is that of a certificate. */
  private static final byte[] PROBE = {1, 2, 3};

  private Certificates() {}

  /**
   * A certificate, with the chain that leads to its CA, and its key.
   *
   * @throws io.latecomer.services.SettingsError if the files cannot be used now
   */
  public static KeyManager identity(WatchedFiles watch, SettingFile cert, SettingFile key) {
    AdvancedTlsX509KeyManager manager = new AdvancedTlsX509KeyManager();
    watch.watch(
        List.of(cert, key),
        contents -> {
          X509Certificate[] chain = certificates(cert, contents.get(0));
          if (!isUsable(chain[0].getPublicKey())) {
            throw cert.wrong("needs a key of RSA of 2048 bits or more, or EC on P-256 or P-384");
          }
          PrivateKey secret = privateKey(key, contents.get(1));
          if (!belongTogether(chain[0], secret)) {
            throw key.wrong("is not the key of the certificate in " + cert.path());
          }
          manager.updateIdentityCredentials(chain, secret);
        });
    return manager;
  }

  /**
   * The certificates of those that may sign the other side's. A client also compares the host name.
   * Once they were all taken out of their file, nobody is believed.
   *
   * @throws io.latecomer.services.SettingsError if the file cannot be used now
   */
  public static TrustManager authorities(WatchedFiles watch, SettingFile file) {
    AdvancedTlsX509TrustManager manager;
    try {
      manager = AdvancedTlsX509TrustManager.newBuilder().build();
    } catch (CertificateException error) {
      throw new IllegalStateException("the machine has no store of certificates", error);
    }
    AtomicBoolean begun = new AtomicBoolean();
    watch.watch(
        List.of(file),
        contents -> {
          try {
            byte[] pem = contents.get(0);
            if (begun.get() && !new String(pem, StandardCharsets.ISO_8859_1).contains(BEGIN)) {
              logger.log(
                  Level.SEVERE, "{0}: holds no certificate: nobody new is let in", file.path());
              manager.updateTrustCredentials(new X509Certificate[0]);
            } else {
              manager.updateTrustCredentials(certificates(file, pem));
            }
          } catch (IOException | GeneralSecurityException error) {
            throw file.wrong("cannot be used: " + error.getClass().getSimpleName());
          }
        });
    begun.set(true);
    return manager;
  }

  private static X509Certificate[] certificates(SettingFile file, byte[] pem) {
    try {
      X509Certificate[] found = CertificateUtils.getX509Certificates(new ByteArrayInputStream(pem));
      if (found.length > 0) {
        return found;
      }
    } catch (CertificateException error) {
      // Said below, without what the file holds.
    }
    throw file.wrong("has no certificate in PEM form");
  }

  private static PrivateKey privateKey(SettingFile file, byte[] pem) {
    try {
      return CertificateUtils.getPrivateKey(new ByteArrayInputStream(pem));
    } catch (IOException | GeneralSecurityException | RuntimeException error) {
      throw file.wrong("has no RSA or EC private key in PEM form (PKCS #8, not encrypted)");
    }
  }

  private static EllipticCurve curve(String name) {
    try {
      AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC");
      parameters.init(new ECGenParameterSpec(name));
      return parameters.getParameterSpec(ECParameterSpec.class).getCurve();
    } catch (GeneralSecurityException error) {
      throw new IllegalStateException("every Java has this curve", error);
    }
  }

  private static boolean isUsable(PublicKey key) {
    if (key instanceof RSAPublicKey rsa) {
      return rsa.getModulus().bitLength() >= LEAST_RSA_BITS;
    }
    return key instanceof ECPublicKey ec && CURVES.contains(ec.getParams().getCurve());
  }

  private static boolean belongTogether(X509Certificate certificate, PrivateKey key) {
    try {
      String kind = key.getAlgorithm().equals("RSA") ? "RSA" : "ECDSA";
      Signature signature = Signature.getInstance("SHA256with" + kind);
      signature.initSign(key);
      signature.update(PROBE);
      byte[] signed = signature.sign();
      signature.initVerify(certificate.getPublicKey());
      signature.update(PROBE);
      return signature.verify(signed);
    } catch (GeneralSecurityException error) {
      return false;
    }
  }
}

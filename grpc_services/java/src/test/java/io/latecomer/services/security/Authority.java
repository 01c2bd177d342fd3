package io.latecomer.services.security;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** A CA for tests: it makes certificates that are good, expired, or for another host. */
public final class Authority {
  private static final SecureRandom RANDOM = new SecureRandom();

  private final X500Principal name;
  private final KeyPair keys = newKeys();

  public Authority(String name) {
    this.name = new X500Principal("CN=" + name);
  }

  /** A certificate with its key, in PEM form. */
  public record Identity(String cert, String key, BigInteger serial) {
    /** Puts both in place, each by a rename, as those who rotate do. */
    public void writeTo(Path certFile, Path keyFile) throws IOException {
      replace(certFile, cert);
      replace(keyFile, key);
    }
  }

  /** Replaces a file as one step. */
  public static void replace(Path file, String text) throws IOException {
    Path next = Files.writeString(file.resolveSibling(file.getFileName() + ".next"), text);
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  /** Its own certificate, which those who trust it need. */
  public String certificate() throws Exception {
    return certificate(name, keys, Instant.now().plus(Duration.ofDays(1)), BigInteger.ONE, null);
  }

  /** A certificate for this address or name, in force for a day. */
  public Identity issue(String host) throws Exception {
    return issue(host, Instant.now().plus(Duration.ofDays(1)));
  }

  /** A certificate for this address or name. */
  public Identity issue(String host, Instant until) throws Exception {
    return issue(host, until, newKeys());
  }

  /** A certificate for this address or name, of these keys. */
  public Identity issue(String host, Instant until, KeyPair own) throws Exception {
    BigInteger serial = new BigInteger(64, RANDOM).setBit(64);
    boolean address = host.matches("[0-9.]+");
    GeneralName alternative =
        new GeneralName(address ? GeneralName.iPAddress : GeneralName.dNSName, host);
    String cert =
        certificate(
            new X500Principal("CN=" + host), own, until, serial, new GeneralNames(alternative));
    return new Identity(cert, pem("PRIVATE KEY", own.getPrivate().getEncoded()), serial);
  }

  private String certificate(
      X500Principal subject, KeyPair own, Instant until, BigInteger serial, GeneralNames hosts)
      throws IOException, OperatorCreationException {
    Date from = Date.from(Instant.now().minus(Duration.ofDays(2)));
    JcaX509v3CertificateBuilder builder =
        new JcaX509v3CertificateBuilder(
            name, serial, from, Date.from(until), subject, own.getPublic());
    builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(hosts == null));
    if (hosts != null) {
      builder.addExtension(Extension.subjectAlternativeName, false, hosts);
    }
    var signer = new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate());
    return pem("CERTIFICATE", builder.build(signer).getEncoded());
  }

  private static KeyPair newKeys() {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(256);
      return generator.generateKeyPair();
    } catch (GeneralSecurityException error) {
      throw new AssertionError(error);
    }
  }

  private static String pem(String kind, byte[] bytes) {
    String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(bytes);
    return "-----BEGIN " + kind + "-----\n" + text + "\n-----END " + kind + "-----\n";
  }
}

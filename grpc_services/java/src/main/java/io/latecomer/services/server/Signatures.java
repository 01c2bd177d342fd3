package io.latecomer.services.server;

import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import java.util.List;
import java.util.Map;

/**
 * The signatures of tokens that a public key can check (RFC 7518, RFC 8037), by their names there:
 * with {@code none} or an HS one anybody could sign.
 */
enum Signatures {
  RS256("SHA256withRSA", "RSA", null),
  RS384("SHA384withRSA", "RSA", null),
  RS512("SHA512withRSA", "RSA", null),
  PS256("RSASSA-PSS", "RSA", null),
  PS384("RSASSA-PSS", "RSA", null),
  PS512("RSASSA-PSS", "RSA", null),
  ES256("SHA256withECDSAinP1363Format", "EC", "P-256"),
  ES384("SHA384withECDSAinP1363Format", "EC", "P-384"),
  ES512("SHA512withECDSAinP1363Format", "EC", "P-521"),
  EdDSA("Ed25519", "OKP", "Ed25519");

  static final List<String> NAMES = List.of(values()).stream().map(Signatures::name).toList();

  private static final Map<Signatures, Integer> PSS_BITS =
      Map.of(PS256, 256, PS384, 384, PS512, 512);

  private final String algorithm;

  /** The one kind of key that goes with it: none is used in another way than it was made for. */
  final String keyType;

  /** Null for RSA. */
  final String curve;

  Signatures(String algorithm, String keyType, String curve) {
    this.algorithm = algorithm;
    this.keyType = keyType;
    this.curve = curve;
  }

  boolean isBy(PublicKey key, byte[] signed, byte[] signature) {
    try {
      Signature check = Signature.getInstance(algorithm);
      Integer bits = PSS_BITS.get(this);
      if (bits != null) {
        check.setParameter(
            new PSSParameterSpec(
                "SHA-" + bits,
                "MGF1",
                new MGF1ParameterSpec("SHA-" + bits),
                bits / Byte.SIZE,
                PSSParameterSpec.TRAILER_FIELD_BC));
      }
      check.initVerify(key);
      check.update(signed);
      return check.verify(signature);
    } catch (GeneralSecurityException error) {
      return false; // a signature of another length, for one
    }
  }
}

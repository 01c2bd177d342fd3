package io.latecomer.services.server;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.util.JSONObjectUtils;
import io.latecomer.services.SettingsError;
import io.latecomer.services.security.SettingFile;
import io.latecomer.services.security.StrictJson;
import io.latecomer.services.security.WatchedFiles;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.X509EncodedKeySpec;
import java.text.ParseException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongSupplier;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * The public keys of whoever issues tokens, out of a file that may change.
 *
 * <p>The rules stand in {@code docs/tokens.md}, one table for both languages.
 */
final class KeySet implements WatchedFiles.Reader {
  /**
   * How long the last good keys serve while the file cannot be used: a rotation caught half-way
   * takes seconds, and a key that was taken away because it leaked must not serve for ever.
   */
  static final Duration KEPT = Duration.ofMinutes(10);

  /** RFC 7518, section 3.3. */
  private static final int RSA_BITS_MIN = 2048;

  /** A token without a key id is tried on each; issuers publish two to ten. */
  private static final int KEYS_MAX = 32;

  /** What stands before the 32 bytes of an Ed25519 key (RFC 8410). */
  private static final byte[] ED25519 = HexFormat.of().parseHex("302a300506032b6570032100");

  private static final int ED25519_BYTES = 32;

  private static final Logger logger = Logger.getLogger(KeySet.class.getName());

  private final SettingFile file;
  private final List<Signatures> signatures;
  private final LongSupplier nanoClock;
  private volatile List<Key> keys = List.of();

  /** Since when the file cannot be used; null: it can. Only the watch looks at it. */
  private Long unusableSince;

  /**
   * A key as the set holds it.
   *
   * @param id its {@code kid}; null if it has none
   * @param only the one signature that it is for; null if it does not say
   */
  record Key(String id, String type, String curve, Signatures only, PublicKey key) {
    boolean fits(Signatures signature, String wanted) {
      return type.equals(signature.keyType)
          && Objects.equals(curve, signature.curve)
          && (only == null || only == signature)
          && (wanted == null || wanted.equals(id));
    }
  }

  /**
   * Reads the file, and again when it changes.
   *
   * @throws SettingsError if it cannot be used now, or holds no key for these signatures
   */
  KeySet(
      SettingFile file, List<Signatures> signatures, WatchedFiles watch, LongSupplier nanoClock) {
    this.file = file;
    this.signatures = signatures;
    this.nanoClock = nanoClock;
    watch.watch(List.of(file), this);
    if (keys.isEmpty()) {
      throw file.wrong(holdsNone());
    }
  }

  /** None where the set was emptied, or could not be used for too long: nobody is let in then. */
  List<Key> current() {
    return keys;
  }

  private String holdsNone() {
    return "holds no key for " + String.join(", ", signatures.stream().map(Enum::name).toList());
  }

  @Override
  public void take(List<byte[]> contents) {
    List<Key> fitting =
        keys(contents.get(0)).stream()
            .filter(key -> signatures.stream().anyMatch(one -> key.fits(one, null)))
            .toList();
    unusableSince = null;
    if (fitting.isEmpty() && !keys.isEmpty()) {
      logger.log(
          Level.SEVERE, "{0} {1}: no call is let in", new Object[] {file.name(), holdsNone()});
    }
    keys = fitting;
  }

  @Override
  public String kept() {
    return " for " + KEPT.toMinutes() + " minutes";
  }

  @Override
  public void unusable() {
    long now = nanoClock.getAsLong();
    if (unusableSince == null) {
      unusableSince = now;
    } else if (now - unusableSince >= KEPT.toNanos() && !keys.isEmpty()) {
      keys = List.of();
      logger.log(
          Level.SEVERE,
          "{0}: cannot be used still; what was there before is not used any more",
          file.name());
    }
  }

  private List<Key> keys(byte[] json) {
    List<Key> found = new ArrayList<>();
    try {
      if (!(StrictJson.object(json).get("keys") instanceof List<?> given)) {
        throw new ParseException("keys", 0);
      }
      if (given.size() > KEYS_MAX) {
        throw file.wrong("holds " + given.size() + " keys, a key set may hold " + KEYS_MAX);
      }
      for (Object one : given) {
        Key key = key((Map<?, ?>) one);
        if (key != null) {
          found.add(key);
        }
      }
    } catch (SettingsError error) {
      throw error;
    } catch (ParseException | JOSEException | GeneralSecurityException | RuntimeException error) {
      throw file.wrong("is not a JSON Web Key Set, or a key in it is damaged");
    }
    return found;
  }

  /** Null for a key that is for something else. */
  private Key key(Map<?, ?> given) throws ParseException, JOSEException, GeneralSecurityException {
    String type = (String) Objects.requireNonNull(given.get("kty"));
    if (type.equals("oct") || given.containsKey("d")) {
      throw file.wrong("holds a secret key; the set must hold public keys only");
    }
    String curve = type.equals("RSA") ? null : text(given, "crv");
    String algorithm = text(given, "alg");
    boolean known =
        List.of(Signatures.values()).stream()
            .anyMatch(one -> one.keyType.equals(type) && Objects.equals(one.curve, curve));
    if (!known || !isForSignatures(given)) {
      return null;
    }
    if (algorithm != null && !Signatures.NAMES.contains(algorithm)) {
      return null;
    }
    Signatures only = algorithm == null ? null : Signatures.valueOf(algorithm);
    return new Key(text(given, "kid"), type, curve, only, publicKey(type, given));
  }

  private static boolean isForSignatures(Map<?, ?> given) {
    String use = text(given, "use");
    boolean verifies = !(given.get("key_ops") instanceof List<?> uses) || uses.contains("verify");
    return verifies && (use == null || use.equals("sig"));
  }

  private static String text(Map<?, ?> given, String name) {
    Object value = given.get(name);
    return value == StrictJson.NULL ? null : (String) value;
  }

  private PublicKey publicKey(String type, Map<?, ?> given)
      throws ParseException, JOSEException, GeneralSecurityException {
    if (type.equals("OKP")) {
      byte[] point = Base64.getUrlDecoder().decode(text(given, "x"));
      if (point.length != ED25519_BYTES) {
        throw new ParseException("x", 0);
      }
      byte[] encoded = new byte[ED25519.length + point.length];
      System.arraycopy(ED25519, 0, encoded, 0, ED25519.length);
      System.arraycopy(point, 0, encoded, ED25519.length, point.length);
      return KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(encoded));
    }
    Map<String, Object> parts = JSONObjectUtils.newJSONObject();
    for (String name : List.of("kty", "crv", "x", "y", "n", "e")) {
      if (given.get(name) instanceof String value) {
        parts.put(name, value);
      }
    }
    if (type.equals("EC")) {
      return ECKey.parse(parts).toECPublicKey();
    }
    RSAPublicKey key = RSAKey.parse(parts).toRSAPublicKey();
    if (key.getModulus().bitLength() < RSA_BITS_MIN) {
      throw file.wrong("holds an RSA key below " + RSA_BITS_MIN + " bits");
    }
    return key;
  }
}

package io.latecomer.services.server;

import com.google.gson.JsonParseException;
import io.latecomer.services.security.StrictJson;
import io.latecomer.services.security.WatchedFiles;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Checks JSON Web Tokens (RFC 7519, RFC 8725) by the keys of a set that may change.
 *
 * <p>The rules stand in {@code docs/tokens.md}, one table for both languages. A signature is
 * checked once for each token and set of keys; the times at every call.
 */
final class TokenVerifier {
  /** What gRPC lets through in all metadata of a call, by default and in both languages. */
  private static final int MOST_CHARACTERS = 8_192;

  /** Tokens whose signatures are remembered; a fleet of pipelines has far fewer. */
  private static final int MOST_REMEMBERED = 1_000;

  private static final Pattern FORM =
      Pattern.compile("([A-Za-z0-9_-]+)\\.([A-Za-z0-9_-]+)\\.([A-Za-z0-9_-]+)");

  /**
   * A token made for another use must not let anybody in (RFC 8725, section 3.11). {@code at+jwt}:
   * RFC 9068.
   */
  private static final List<String> TYPES =
      List.of("jwt", "at+jwt", "application/jwt", "application/at+jwt");

  /** The end of the year 9999. */
  private static final double MOST_SECONDS = 253_402_300_799.0;

  private static final double MILLIS = 1e3;

  private final TokenRules rules;
  private final KeySet keys;
  private final InstantSource clock;
  private volatile Remembered remembered = new Remembered(List.of(), Map.of());

  /** The claims of tokens that were seen signed by a key of a set; replaced as one. */
  private record Remembered(List<KeySet.Key> keys, Map<String, Map<String, Object>> claims) {}

  /** A token that breaks a rule; which one, its caller is not told. */
  static final class InvalidToken extends Exception {
    private static final long serialVersionUID = 1L;

    InvalidToken(String part) {
      super(part, null, false, false);
    }
  }

  /**
   * Reads the keys, and again when they change.
   *
   * @throws io.latecomer.services.SettingsError if they cannot be used now
   */
  TokenVerifier(TokenRules rules, WatchedFiles watch, InstantSource clock) {
    this.rules = rules;
    this.clock = clock;
    keys = new KeySet(rules.jwks(), rules.signatures(), watch, System::nanoTime);
  }

  /** The claims of a valid token. */
  Map<String, Object> claims(String token) throws InvalidToken {
    if (token.length() > MOST_CHARACTERS) {
      throw new InvalidToken("size");
    }
    List<KeySet.Key> current = keys.current();
    Remembered seen = remembered;
    if (seen.keys != current || seen.claims.size() >= MOST_REMEMBERED) {
      seen = new Remembered(current, new ConcurrentHashMap<>());
      remembered = seen;
    }
    Map<String, Object> claims = seen.claims.get(token);
    if (claims == null) {
      claims = signed(token, current);
      seen.claims.put(token, claims);
    }
    check(claims);
    return claims;
  }

  private Map<String, Object> signed(String token, List<KeySet.Key> current) throws InvalidToken {
    Matcher form = FORM.matcher(token);
    if (!form.matches()) {
      throw new InvalidToken("form");
    }
    Map<String, Object> header = object(form.group(1));
    Signatures signature = signature(header);
    Object id = header.get("kid");
    if (id != null && !(id instanceof String)) {
      throw new InvalidToken("kid");
    }
    if (header.containsKey("crit")) {
      throw new InvalidToken("crit");
    }
    if (!Boolean.TRUE.equals(header.getOrDefault("b64", true))) {
      throw new InvalidToken("b64");
    }
    byte[] signed = token.substring(0, form.end(2)).getBytes(StandardCharsets.US_ASCII);
    byte[] given = bytes(form.group(3));
    for (KeySet.Key key : current) {
      // Without a key id, or with one used twice, another key may have signed.
      if (key.fits(signature, (String) id) && signature.isBy(key.key(), signed, given)) {
        return object(form.group(2));
      }
    }
    throw new InvalidToken("signature");
  }

  private Signatures signature(Map<String, Object> header) throws InvalidToken {
    Object type = header.get("typ");
    if (type != null
        && !(type instanceof String text && TYPES.contains(text.toLowerCase(Locale.ROOT)))) {
      throw new InvalidToken("typ");
    }
    for (Signatures one : rules.signatures()) {
      if (one.name().equals(header.get("alg"))) {
        return one;
      }
    }
    throw new InvalidToken("alg");
  }

  private static byte[] bytes(String base64) throws InvalidToken {
    byte[] bytes;
    try {
      bytes = Base64.getUrlDecoder().decode(base64);
    } catch (IllegalArgumentException error) {
      throw new InvalidToken("form");
    }
    // The bits behind the last byte are zero, or one token could be written in several ways.
    if (!Base64.getUrlEncoder().withoutPadding().encodeToString(bytes).equals(base64)) {
      throw new InvalidToken("form");
    }
    return bytes;
  }

  private static Map<String, Object> object(String base64) throws InvalidToken {
    try {
      return StrictJson.object(bytes(base64));
    } catch (JsonParseException error) {
      throw new InvalidToken("form");
    }
  }

  private void check(Map<String, Object> claims) throws InvalidToken {
    double skew = rules.clockSkew().toMillis() / MILLIS;
    double now = clock.millis() / MILLIS;
    if (!claims.containsKey("exp") || seconds(claims, "exp") + skew <= now) {
      throw new InvalidToken("exp");
    }
    for (String name : List.of("nbf", "iat")) {
      if (claims.containsKey(name) && seconds(claims, name) > now + skew) {
        throw new InvalidToken(name);
      }
    }
    if (!rules.issuer().equals(claims.get("iss"))) {
      throw new InvalidToken("iss");
    }
    Object given = claims.get("aud");
    List<?> audiences =
        given instanceof List<?> several ? several : List.of(given == null ? "" : given);
    if (!audiences.stream().allMatch(one -> one instanceof String)
        || !audiences.contains(rules.audience())) {
      throw new InvalidToken("aud");
    }
  }

  private static double seconds(Map<String, Object> claims, String name) throws InvalidToken {
    if (claims.get(name) instanceof Double value && value >= 0 && value <= MOST_SECONDS) {
      return value;
    }
    throw new InvalidToken(name);
  }
}

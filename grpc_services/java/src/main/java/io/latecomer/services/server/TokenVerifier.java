package io.latecomer.services.server;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import io.latecomer.services.security.FileWatch;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.text.ParseException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Checks tokens by the keys of a file that may change.
 *
 * <p>A signature is checked once for each token and set of keys; the claims, and with them the
 * time, at every call.
 */
final class TokenVerifier {
  /** Tokens whose signatures are remembered; a fleet of pipelines has far fewer. */
  private static final int MAX_REMEMBERED = 1_000;

  /** The kinds of token: plain, that of RFC 9068, and one that does not say. */
  private static final DefaultJOSEObjectTypeVerifier<SecurityContext> KINDS =
      new DefaultJOSEObjectTypeVerifier<>(JOSEObjectType.JWT, new JOSEObjectType("at+jwt"), null);

  private final TokenRules rules;
  private final DefaultJWTClaimsVerifier<SecurityContext> claimsVerifier;
  private volatile Keys keys;

  /**
   * Reads the keys, and again when they change.
   *
   * @throws io.latecomer.services.SettingsError if they cannot be used now
   */
  TokenVerifier(TokenRules rules, FileWatch watch) {
    this.rules = rules;
    JWTClaimsSet exact = new JWTClaimsSet.Builder().issuer(rules.issuer()).build();
    claimsVerifier = new DefaultJWTClaimsVerifier<>(rules.audience(), exact, Set.of("exp"));
    claimsVerifier.setMaxClockSkew((int) rules.clockSkew().toSeconds());
    watch.watch(List.of(rules.jwks()), contents -> keys = new Keys(keySet(contents.get(0))));
  }

  private JWKSet keySet(byte[] json) {
    JWKSet set;
    try {
      set = JWKSet.load(new ByteArrayInputStream(json));
    } catch (IOException | ParseException | RuntimeException error) {
      throw rules.jwks().wrong("is not a JSON Web Key Set");
    }
    if (set.isEmpty()) {
      throw rules.jwks().wrong("has no key");
    }
    if (set.getKeys().stream().anyMatch(JWK::isPrivate)) {
      throw rules
          .jwks()
          .wrong("has a private or a shared key; a server needs the public ones only");
    }
    return set;
  }

  /** The claims of a valid token; any exception means that it is not. */
  JWTClaimsSet claims(String token) throws ParseException, JOSEException, BadJOSEException {
    JWTClaimsSet claims = keys.signed(token);
    claimsVerifier.verify(claims, null);
    return claims;
  }

  /** A set of keys and what was seen signed by it; replaced as one. */
  private final class Keys {
    private final DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();
    private final Map<String, JWTClaimsSet> remembered = new ConcurrentHashMap<>();

    Keys(JWKSet set) {
      processor.setJWSTypeVerifier(KINDS);
      processor.setJWSKeySelector(
          new JWSVerificationKeySelector<>(
              rules.signatures(), (selector, context) -> selector.select(set)));
      processor.setJWTClaimsSetVerifier(null); // the claims are checked apart
    }

    JWTClaimsSet signed(String token) throws ParseException, JOSEException, BadJOSEException {
      JWTClaimsSet claims = remembered.get(token);
      if (claims == null) {
        claims = processor.process(token, null);
        if (remembered.size() >= MAX_REMEMBERED) {
          remembered.clear();
        }
        remembered.put(token, claims);
      }
      return claims;
    }
  }
}

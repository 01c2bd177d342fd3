package io.latecomer.services.security;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.PlainJWT;
import com.nimbusds.jwt.SignedJWT;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;

/** Makes tokens for tests, good ones and bad ones, and the key set that they are checked by. */
public final class Issuer {
  public static final String NAME = "https://issuer.test";
  public static final String AUDIENCE = "latecomer-services";

  private final RSAKey key;

  public Issuer(String keyId) {
    try {
      key = new RSAKeyGenerator(2048).keyID(keyId).generate();
    } catch (JOSEException error) {
      throw new AssertionError(error);
    }
  }

  /** The public keys of all these issuers. */
  public static String jwks(Issuer... issuers) {
    List<JWK> keys = new ArrayList<>();
    for (Issuer issuer : issuers) {
      keys.add(issuer.key);
    }
    return new JWKSet(keys).toString(true);
  }

  /** The keys with their secrets, which no server should be given. */
  public String privateJwks() {
    return new JWKSet(key).toString(false);
  }

  /** Claims that are good for both services, to be made worse. */
  public static JWTClaimsSet.Builder claims() {
    Instant now = Instant.now();
    return new JWTClaimsSet.Builder()
        .issuer(NAME)
        .audience(AUDIENCE)
        .subject("a pipeline")
        .claim("scope", "openid latecomer.features latecomer.inference")
        .issueTime(Date.from(now))
        .expirationTime(Date.from(now.plus(Duration.ofHours(1))));
  }

  public String token() {
    return sign(claims());
  }

  public String sign(JWTClaimsSet.Builder claims) {
    JWSHeader header =
        new JWSHeader.Builder(JWSAlgorithm.RS256)
            .type(JOSEObjectType.JWT)
            .keyID(key.getKeyID())
            .build();
    try {
      SignedJWT token = new SignedJWT(header, claims.build());
      token.sign(new RSASSASigner(key));
      return token.serialize();
    } catch (JOSEException error) {
      throw new AssertionError(error);
    }
  }

  /** The known trick: the public key, which everybody has, taken for a shared secret. */
  public String signedWithPublicKey() {
    JWSHeader header = new JWSHeader.Builder(JWSAlgorithm.HS256).keyID(key.getKeyID()).build();
    try {
      SignedJWT token = new SignedJWT(header, claims().build());
      token.sign(new MACSigner(key.toRSAPublicKey().getEncoded()));
      return token.serialize();
    } catch (JOSEException error) {
      throw new AssertionError(error);
    }
  }

  public static String unsigned() {
    return new PlainJWT(claims().build()).serialize();
  }
}

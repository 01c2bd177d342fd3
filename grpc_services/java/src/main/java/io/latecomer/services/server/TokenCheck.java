package io.latecomer.services.server;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jwt.JWTClaimsSet;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.text.ParseException;
import java.util.Arrays;
import java.util.Collection;
import java.util.Locale;

/**
 * Lets a call in only with a token that is signed, in force, meant for this service and broad
 * enough.
 *
 * <p>A stream is checked as it opens; the maximal age of its connection bounds how long it outlives
 * its token. The caller learns which of the two statuses it is and no more; nothing is logged.
 */
final class TokenCheck implements ServerInterceptor {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private static final String SCHEME = "bearer ";

  private static final Status NOT_VALID =
      Status.UNAUTHENTICATED.withDescription("the token is missing or not valid");

  private static final Status NOT_ALLOWED =
      Status.PERMISSION_DENIED.withDescription("the token does not allow this");

  private final TokenVerifier verifier;
  private final TokenRules rules;

  TokenCheck(TokenVerifier verifier, TokenRules rules) {
    this.verifier = verifier;
    this.rules = rules;
  }

  @Override
  public <Q, R> Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    Status status = status(headers.get(AUTHORIZATION));
    if (status.isOk()) {
      return next.startCall(call, headers);
    }
    call.close(status, new Metadata());
    return new Listener<>() {};
  }

  private Status status(String header) {
    if (header == null || !header.toLowerCase(Locale.ROOT).startsWith(SCHEME)) {
      return NOT_VALID;
    }
    try {
      JWTClaimsSet claims = verifier.claims(header.substring(SCHEME.length()).strip());
      boolean allowed = allows(claims.getClaim("scope")) && knows(claims.getSubject());
      return allowed ? Status.OK : NOT_ALLOWED;
    } catch (ParseException | JOSEException | BadJOSEException | RuntimeException error) {
      return NOT_VALID; // a token is the caller's: whatever it breaks, it is not valid
    }
  }

  /** A string with spaces between the names, or a list of names. */
  private boolean allows(Object scopes) {
    if (rules.scope() == null) {
      return true;
    }
    if (scopes instanceof String text) {
      return Arrays.asList(text.split(" ")).contains(rules.scope());
    }
    return scopes instanceof Collection<?> names && names.contains(rules.scope());
  }

  private boolean knows(String subject) {
    return rules.subjects().isEmpty() || (subject != null && rules.subjects().contains(subject));
  }
}

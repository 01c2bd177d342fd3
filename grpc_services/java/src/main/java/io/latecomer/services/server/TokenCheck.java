package io.latecomer.services.server;

import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.util.Arrays;
import java.util.Collection;
import java.util.Iterator;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

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

  private static final Pattern BEARER = Pattern.compile("(?i:bearer) +([^ ]+)");

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
    Status status = status(headers);
    if (status.isOk()) {
      return next.startCall(call, headers);
    }
    call.close(status, new Metadata());
    return new Listener<>() {};
  }

  private Status status(Metadata headers) {
    Matcher bearer = BEARER.matcher(one(headers));
    if (!bearer.matches()) {
      return NOT_VALID;
    }
    try {
      Map<String, Object> claims = verifier.claims(bearer.group(1));
      boolean allowed = allows(claims.get("scope")) && knows(claims.get("sub"));
      return allowed ? Status.OK : NOT_ALLOWED;
    } catch (TokenVerifier.InvalidToken | RuntimeException error) {
      return NOT_VALID; // a token is the caller's: whatever it breaks, it is not valid
    }
  }

  /** The only value; of two, another reader may believe the other one. */
  private static String one(Metadata headers) {
    Iterable<String> values = headers.getAll(AUTHORIZATION);
    if (values == null) {
      return "";
    }
    Iterator<String> all = values.iterator();
    String first = all.next();
    return all.hasNext() ? "" : first;
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

  private boolean knows(Object subject) {
    return rules.subjects().isEmpty() || (subject != null && rules.subjects().contains(subject));
  }
}

package io.latecomer.services.client;

import io.grpc.CallCredentials;
import io.grpc.Metadata;
import io.grpc.SecurityLevel;
import io.grpc.Status;
import java.io.IOException;
import java.util.concurrent.Executor;

/** Puts the token of the moment on each call, and only on an encrypted channel. */
final class BearerToken extends CallCredentials {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final TokenSettings.Source tokens;

  BearerToken(TokenSettings.Source tokens) {
    this.tokens = tokens;
  }

  @Override
  public void applyRequestMetadata(RequestInfo info, Executor executor, MetadataApplier applier) {
    if (info.getSecurityLevel() != SecurityLevel.PRIVACY_AND_INTEGRITY) {
      applier.fail(
          Status.UNAUTHENTICATED.withDescription("a token is never sent over a plain channel"));
      return;
    }
    executor.execute(() -> apply(applier)); // it may have to ask the issuer
  }

  private void apply(MetadataApplier applier) {
    try {
      Metadata headers = new Metadata();
      headers.put(AUTHORIZATION, "Bearer " + tokens.token());
      applier.apply(headers);
    } catch (IOException error) {
      applier.fail(Status.UNAUTHENTICATED.withDescription(error.getMessage()));
    } catch (RuntimeException error) {
      // A call whose credentials are never applied would wait for ever.
      applier.fail(Status.INTERNAL.withDescription("no token: " + error.getClass().getName()));
    }
  }
}

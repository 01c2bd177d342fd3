package io.latecomer.services.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.latecomer.services.SettingsError;
import io.latecomer.services.security.Authority;
import io.latecomer.services.security.SettingFile;
import io.latecomer.services.security.WatchedFiles;
import io.latecomer.services.server.LogLines;
import io.latecomer.services.server.ServerSettings;
import io.latecomer.services.server.Service;
import io.latecomer.services.server.ServiceServer;
import io.latecomer.v1.FeatureServiceGrpc;
import io.latecomer.v1.WindowBatch;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
final class TokenFileTest {
  @TempDir Path folder;

  private TokenFile holding(String text) throws Exception {
    Path file = Files.writeString(folder.resolve("token"), text);
    return new TokenFile(new SettingFile("token-file", file));
  }

  @Test
  void aTokenThatChangesIsReadAgainAndAnEmptyFileIsNot() throws Exception {
    TokenFile settings = holding("first\n");
    Path file = settings.file().path();
    try (WatchedFiles watch = new WatchedFiles();
        LogLines log = new LogLines()) {
      TokenSettings.Source tokens = settings.open(watch);
      assertEquals("first", tokens.token());
      Authority.replace(file, "second");
      while (!tokens.token().equals("second")) {
        Thread.onSpinWait();
      }
      Authority.replace(file, "");
      log.await("without spaces is needed; what was there before stays in use", 1);
      assertEquals("second", tokens.token());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "  \n", "two words", "two\nlines", "t\u00f6ken"})
  void aFileThatHoldsNoTokenIsASettingsErrorThatDoesNotQuoteIt(String text) throws Exception {
    TokenFile settings = holding(text);
    try (WatchedFiles watch = new WatchedFiles()) {
      String message = assertThrows(SettingsError.class, () -> settings.open(watch)).getMessage();
      assertEquals(
          "token-file: "
              + settings.file().path()
              + " holds no token: one line without spaces is needed",
          message);
    }
  }

  @Test
  void evenIfItIsPutOnACallATokenDoesNotLeaveByAPlainChannel() throws Exception {
    ServiceServer server = ServiceServer.start(ServerSettings.of(Service.FEATURES, "127.0.0.1", 0));
    ManagedChannel channel =
        Grpc.newChannelBuilder(server.address(), InsecureChannelCredentials.create()).build();
    try {
      var stub =
          FeatureServiceGrpc.newBlockingStub(channel)
              .withCallCredentials(
                  new BearerToken(
                      () -> {
                        throw new AssertionError("asked for a token");
                      }));
      StatusRuntimeException error =
          assertThrows(
              StatusRuntimeException.class,
              () -> stub.engineerFeatures(WindowBatch.getDefaultInstance()));
      assertEquals(
          "a token is never sent over a plain channel", error.getStatus().getDescription());
    } finally {
      channel.shutdownNow();
      server.drain();
    }
  }
}

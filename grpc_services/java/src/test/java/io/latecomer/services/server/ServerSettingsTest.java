package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.latecomer.services.SettingsError;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ServerSettingsTest {
  @Test
  void settingsOutOfRangeAreNamed() {
    SettingsError error =
        assertThrows(
            SettingsError.class, () -> ServerSettings.of(Service.FEATURES, "127.0.0.1", 70_000));
    assertEquals("port must be from 0 to 65535, not 70000", error.getMessage());
    assertThrows(SettingsError.class, () -> ServerSettings.of(Service.FEATURES, "a b", 0));
  }

  @ParameterizedTest
  @ValueSource(strings = {"0.0.0.0", "::", "192.0.2.1"})
  void aPlainServerThatOthersCanReachIsRefused(String host) {
    SettingsError error =
        assertThrows(SettingsError.class, () -> ServerSettings.of(Service.FEATURES, host, 0));
    assertEquals(
        "host " + host + " needs --tls-cert and --tls-key, or --allow-plain: others can reach it",
        error.getMessage());
    Access plain = new Access(null, null, true);
    new ServerSettings(Service.FEATURES, host, 0, LimitSettings.DEFAULT, plain);
  }

  @ParameterizedTest
  @ValueSource(strings = {"127.0.0.1", "127.9.9.9", "::1", "localhost"})
  void aPlainServerOfThisMachineAloneIsAllowed(String host) {
    assertEquals(host, ServerSettings.of(Service.FEATURES, host, 0).host());
  }
}

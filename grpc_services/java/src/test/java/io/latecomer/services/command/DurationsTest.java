package io.latecomer.services.command;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

/** What Python's command line takes and passes on, this one takes too. */
final class DurationsTest {
  @ParameterizedTest
  @CsvSource({
    "10h, 36000000",
    "5m, 300000",
    "250ms, 250",
    "7d, 604800000",
    "1d2h3m4s5ms, 93784005",
    "1h30m, 5400000",
    "0, 0",
    "999999999d, 86399999913600000",
  })
  void aDurationIsRead(String text, long milliseconds) {
    assertEquals(milliseconds, new Durations().convert(text).toMillis());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "5", "5 m", "1.5h", "-1h", "h", "1m1h", "1H", "5min", "00", "1m\n", "\u0661h"})
  void whatIsNoDurationIsRefused(String text) {
    assertThrows(TypeConversionException.class, () -> new Durations().convert(text));
  }
}

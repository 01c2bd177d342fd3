package io.latecomer.services;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class PrintableTest {
  @Test
  void controlCharactersAreEscapesThatCanBeRead() {
    IntStream.concat(IntStream.range(0, 0x20), IntStream.range(0x7f, 0xa0))
        .forEach(
            code ->
                assertEquals(
                    String.format("a\\u%04xb", code), Printable.of("a" + (char) code + "b")));
  }

  @ParameterizedTest
  @ValueSource(
      ints = {0x2028, 0x2029, 0x200b, 0x202e, 0x2066, 0x2069, 0xfeff, 0xd800, 0xdc00, 0xe0041})
  void whatIsNoMarkOnTheScreenIsAnEscape(int code) {
    String shown = Printable.of("a" + Character.toString(code) + "b");
    assertTrue(shown.matches("a\\\\(u[0-9a-f]{4}|U[0-9a-f]{8})b"), shown);
    assertEquals(code, Integer.parseInt(shown.substring(3, shown.length() - 1), 16));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "pump-7",
        "Pumpe S\u00fcd 7",
        "\u30dd\u30f3\u30d7",
        "\u2699\ufe0f \ud83d\ude00"
      })
  void textOfAnyLanguageStaysAsItIs(String text) {
    assertEquals(text, Printable.of(text));
  }
}

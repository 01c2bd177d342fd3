package io.latecomer.services.rules;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.latecomer.services.SettingsError;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class SensorsTest {
  private static String refusal(List<String> declared) {
    return assertThrows(SettingsError.class, () -> Sensors.of(declared)).getMessage();
  }

  private static List<String> names(int count) {
    return IntStream.range(0, count).mapToObj(i -> "s" + i).toList();
  }

  @Test
  void aQuestionMarkMakesASensorOptional() {
    Sensors sensors = Sensors.parsed("temperature, door?");
    assertEquals(List.of("temperature", "door?"), sensors.declared());
    assertEquals(List.of("temperature", "door"), sensors.names());
    assertArrayEquals(new boolean[] {false, true}, sensors.optional());
    assertEquals(List.of("mean_temperature/v1", "mean_door/v1"), sensors.features());
    assertEquals("temperature, door?", sensors.toString());
    assertFalse(sensors.areOfDemo());
  }

  @Test
  void theSensorsOfTheOriginalDemoHaveItsFeatures() {
    Sensors sensors = Sensors.parsed("sensor1,sensor2,sensor3,sensor4");
    assertTrue(sensors.areOfDemo());
    assertEquals(Sensors.DEMO.features(), sensors.features());
    assertEquals("sensor_1/v1", sensors.features().get(0));
    assertFalse(Sensors.parsed("sensor1,sensor2,sensor3,sensor4?").areOfDemo());
    assertFalse(Sensors.parsed("sensor2,sensor1,sensor3,sensor4").areOfDemo());
  }

  @Test
  void thereAreOneToSixtyFour() {
    assertEquals(64, Sensors.of(names(64)).width());
    assertEquals("sensors: there is no sensor", refusal(List.of()));
    assertEquals("sensors: there may be 64 sensors at most, not 65", refusal(names(65)));
  }

  @ParameterizedTest
  @CsvSource({"''", "?", "1a", "a b", "a??", "ä", "a/b", "-a", "'a\n'"})
  void aNameThatIsNoneIsRefused(String name) {
    String without = name.endsWith("?") ? name.substring(0, name.length() - 1) : name;
    assertEquals(
        "sensors: the name of a sensor is letters, digits and _.-, 64 at most, not '"
            + without
            + "'",
        refusal(List.of("ok", name)));
    assertEquals(64, Sensors.of(List.of("_".repeat(64) + "?")).names().get(0).length());
    assertTrue(refusal(List.of("a".repeat(65))).contains("64 at most"));
  }

  @Test
  void aNameComesOnceWithOrWithoutItsQuestionMark() {
    assertEquals("sensors: sensor a is named twice", refusal(List.of("a", "b", "a?")));
  }
}

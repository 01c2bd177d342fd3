package io.latecomer.services.rules;

import io.latecomer.services.SettingsError;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The readings of a row, in their order, and the feature that each of them gives: the mean over the
 * window. A name declared with a question mark may be absent in an event: its reading is then NaN.
 */
public final class Sensors {
  private static final int MOST = 64;
  private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_.-]{0,63}");
  private static final String OPTIONAL = "?";

  /** Those of the original demo. */
  public static final Sensors DEMO = of(List.of("sensor1", "sensor2", "sensor3", "sensor4"));

  private final List<String> declared;
  private final List<String> names;
  private final List<String> features;

  private Sensors(List<String> declared, List<String> names, List<String> features) {
    this.declared = declared;
    this.names = names;
    this.features = features;
  }

  /**
   * The sensors that are declared: {@code temperature}, {@code door?}.
   *
   * @throws SettingsError if there is none, or too many, or a name is none or comes twice
   */
  public static Sensors of(List<String> declared) {
    if (declared.isEmpty()) {
      throw new SettingsError("sensors: there is no sensor");
    }
    if (declared.size() > MOST) {
      throw new SettingsError(
          "sensors: there may be " + MOST + " sensors at most, not " + declared.size());
    }
    Set<String> seen = new HashSet<>();
    for (String one : declared) {
      String name = nameOf(one);
      if (!NAME.matcher(name).matches()) {
        throw new SettingsError(
            "sensors: the name of a sensor is letters, digits and _.-, 64 at most, not '"
                + name
                + "'");
      }
      if (!seen.add(name)) {
        throw new SettingsError("sensors: sensor " + name + " is named twice");
      }
    }
    List<String> names = declared.stream().map(Sensors::nameOf).toList();
    return new Sensors(List.copyOf(declared), names, featuresOf(declared, names));
  }

  /**
   * The sensors of a command line, with commas between them; null for those of the original demo.
   *
   * @throws SettingsError as {@link #of} does
   */
  public static Sensors parsed(String text) {
    return text == null ? DEMO : of(Arrays.stream(text.split(",", -1)).map(String::strip).toList());
  }

  private static List<String> featuresOf(List<String> declared, List<String> names) {
    // In the original demo they are numbered, not named.
    return declared.equals(List.of("sensor1", "sensor2", "sensor3", "sensor4"))
        ? List.of("sensor_1/v1", "sensor_2/v1", "sensor_3/v1", "sensor_4/v1")
        : names.stream().map(name -> "mean_" + name + "/v1").toList();
  }

  private static String nameOf(String declared) {
    return declared.endsWith(OPTIONAL) ? declared.substring(0, declared.length() - 1) : declared;
  }

  /** As they cross the wire, with their question marks. */
  public List<String> declared() {
    return declared;
  }

  /** Without question marks; errors name them so. */
  public List<String> names() {
    return names;
  }

  /** The names of the features with their version, in the order of the sensors. */
  public List<String> features() {
    return features;
  }

  public int width() {
    return names.size();
  }

  /** For each, whether its reading may be absent. */
  public boolean[] optional() {
    boolean[] optional = new boolean[width()];
    for (int sensor = 0; sensor < optional.length; sensor++) {
      optional[sensor] = declared.get(sensor).endsWith(OPTIONAL);
    }
    return optional;
  }

  /** Whether the original demo's methods can ask about them. */
  public boolean areOfDemo() {
    return declared.equals(DEMO.declared);
  }

  /** As one writes them in a sentence. */
  @Override
  public String toString() {
    return String.join(", ", declared);
  }

  /** What is said of a window that holds a reading which is not finite. */
  public String notFinite(int sensor, int event) {
    return names.get(sensor) + ": not finite in event " + event + " of the window";
  }

  /** What is said of a window in which an optional reading is absent from every event. */
  public String noReading(int sensor) {
    return names.get(sensor) + ": no reading in the window";
  }
}

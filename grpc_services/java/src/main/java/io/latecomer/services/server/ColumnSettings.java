package io.latecomer.services.server;

import io.latecomer.services.SettingsError;
import io.latecomer.services.columns.ColumnMemory;
import io.latecomer.services.rules.Sensors;

/**
 * What the rows of a feature service hold, and how much memory streams may take for them. Defaults
 * and ranges are those of the Python servers.
 *
 * @param columnBytes of the columns of all streams
 * @param streamColumnBytes of the columns of one stream
 */
public record ColumnSettings(Sensors sensors, long columnBytes, long streamColumnBytes) {
  private static final long MOST_BYTES = 1L << 40;

  /**
   * 256 MiB hold the windows of 12,000 devices with 300 events of four sensors each, and a quarter
   * more room than that; 512 MiB are two such streams.
   */
  public static final ColumnSettings DEFAULT =
      new ColumnSettings(Sensors.DEMO, 512L << 20, 256L << 20);

  /**
   * Checks every value.
   *
   * @throws SettingsError if a value is out of range
   */
  public ColumnSettings {
    checkBytes("column-bytes", columnBytes);
    checkBytes("stream-column-bytes", streamColumnBytes);
    if (streamColumnBytes > columnBytes) {
      throw new SettingsError("stream-column-bytes must not be above --column-bytes");
    }
  }

  private static void checkBytes(String name, long value) {
    if (value < 0 || value > MOST_BYTES) {
      throw new SettingsError(
          name + " must be an integer from 0 to " + MOST_BYTES + ", not " + value);
    }
  }

  /** Never more than a quarter of the heap: requests take another one. */
  ColumnMemory memory() {
    long quarter = Runtime.getRuntime().maxMemory() / 4;
    return new ColumnMemory(
        sensors, Math.min(columnBytes, quarter), Math.min(streamColumnBytes, quarter));
  }

  /**
   * Checks that nothing is set where it has no effect.
   *
   * @throws SettingsError if something is
   */
  void checkUnset() {
    checkUnset("sensors", sensors.areOfDemo());
    checkUnset("column-bytes", columnBytes == DEFAULT.columnBytes);
    checkUnset("stream-column-bytes", streamColumnBytes == DEFAULT.streamColumnBytes);
  }

  private static void checkUnset(String name, boolean isDefault) {
    if (!isDefault) {
      throw new SettingsError(name + " is a setting of the feature service only");
    }
  }
}

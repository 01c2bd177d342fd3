package io.latecomer.services.command;

import io.latecomer.services.rules.Sensors;
import io.latecomer.services.server.ColumnSettings;
import picocli.CommandLine.Option;

/** The options of a feature service that say what its rows hold, and how many streams may keep. */
final class ColumnOptions {
  @Option(
      names = "--sensors",
      paramLabel = "NAME[?][,...]",
      description =
          "Readings of an event, up to 64, in the order of a row; one with a question mark behind "
              + "its name may be absent. Default: sensor1,sensor2,sensor3,sensor4.")
  private String sensors;

  @Option(
      names = "--column-bytes",
      paramLabel = "N",
      description =
          "What the columns of all streams may hold, in bytes: for each row that a column has room "
              + "for 8, and 12 for each sensor. For columns beyond that, clients send whole "
              + "windows. Never more than a quarter of the heap. [default: ${DEFAULT-VALUE}]")
  private long columnBytes = ColumnSettings.DEFAULT.columnBytes();

  @Option(
      names = "--stream-column-bytes",
      paramLabel = "N",
      description =
          "What the columns of one stream may hold, counted likewise; at most --column-bytes. "
              + "[default: ${DEFAULT-VALUE}]")
  private long streamColumnBytes = ColumnSettings.DEFAULT.streamColumnBytes();

  ColumnSettings columns() {
    return new ColumnSettings(Sensors.parsed(sensors), columnBytes, streamColumnBytes);
  }
}

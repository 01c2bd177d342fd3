package io.latecomer.services.command;

import io.latecomer.services.rules.Sensors;
import io.latecomer.services.server.ColumnSettings;
import picocli.CommandLine.Option;

/** The options of a feature service that say what its rows hold, and how many streams may keep. */
final class ColumnOptions {
  @Option(
      names = "--sensors",
      paramLabel = "NAME[?],...",
      description =
          "Sensors of an event, 1 to 64, in the order of a row; one with a question mark may be "
              + "absent. Default: sensor1,sensor2,sensor3,sensor4.")
  private String sensors;

  @Option(
      names = "--column-bytes",
      paramLabel = "N",
      description =
          "Memory in bytes for the columns that streams keep, of all streams together; never "
              + "more than a quarter of the heap. [default: ${DEFAULT-VALUE}]")
  private long columnBytes = ColumnSettings.DEFAULT.columnBytes();

  @Option(
      names = "--stream-column-bytes",
      paramLabel = "N",
      description = "Memory in bytes for the columns of one stream. [default: ${DEFAULT-VALUE}]")
  private long streamColumnBytes = ColumnSettings.DEFAULT.streamColumnBytes();

  ColumnSettings columns() {
    return new ColumnSettings(Sensors.parsed(sensors), columnBytes, streamColumnBytes);
  }
}

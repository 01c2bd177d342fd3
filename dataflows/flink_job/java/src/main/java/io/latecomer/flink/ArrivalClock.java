package io.latecomer.flink;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.FilterFunction;
import org.apache.flink.types.Row;

/**
 * The clock of the job: the arrival of each record, and per partition the last one less 1 ms as
 * watermark.
 */
public final class ArrivalClock {
  private ArrivalClock() {}

  /**
   * Watermarks that no record of their partition can still come before, for arrivals that do not go
   * back.
   */
  public static WatermarkStrategy<Row> watermarks() {
    return WatermarkStrategy.<Row>forMonotonousTimestamps()
        .withTimestampAssigner((row, recordTimestamp) -> RecordFrame.arrivalMs(row));
  }

  /**
   * Lets records pass, and keeps heartbeats back: behind the watermarks they have done their work.
   */
  public static final class RecordsOnly implements FilterFunction<Row> {
    private static final long serialVersionUID = 1L;

    @Override
    public boolean filter(Row row) {
      return RecordFrame.kind(row) != RecordFrame.HEARTBEAT;
    }
  }
}

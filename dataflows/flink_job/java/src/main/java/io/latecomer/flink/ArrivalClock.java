package io.latecomer.flink;

import org.apache.flink.api.common.eventtime.TimestampAssigner;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.FilterFunction;
import org.apache.flink.types.Row;

/**
 * The clock of the job: of each partition, the last arrival less 1 ms as watermark. Records of a
 * topic bring their arrival along, given by {@link PartitionClock}; those of a file have it in the
 * frame.
 */
public final class ArrivalClock {
  private ArrivalClock() {}

  /**
   * Watermarks that no record of their partition can still come before, for arrivals that do not go
   * back.
   */
  public static WatermarkStrategy<Row> watermarks() {
    return WatermarkStrategy.<Row>forMonotonousTimestamps()
        .withTimestampAssigner(
            (row, arrivalMs) ->
                arrivalMs == TimestampAssigner.NO_TIMESTAMP
                    ? RecordFrame.arrivalMs(RecordFrame.frame(row))
                    : arrivalMs);
  }

  /**
   * Lets records pass, and keeps heartbeats back: behind the watermarks they have done their work,
   * unless there is something about them to count.
   */
  public static final class RecordsOnly implements FilterFunction<Row> {
    private static final long serialVersionUID = 1L;

    @Override
    public boolean filter(Row row) {
      return !RecordFrame.isPlainHeartbeat(RecordFrame.frame(row));
    }
  }
}

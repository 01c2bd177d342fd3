package io.latecomer.flink;

import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.types.Row;

/**
 * The ends of a Python stage that gives records their keys, in front of {@link DeviceOperator}: a
 * frame goes in, and one under the key of its device comes out. It stands in a job whose topic is
 * keyed by something else.
 */
public final class FrameStage {
  private FrameStage() {}

  /** A row as the frame that is in it. */
  public static MapFunction<Row, byte[]> ofRows() {
    return RecordFrame::frame;
  }

  /** A frame as a row, keyed by the key that it holds now. */
  public static MapFunction<byte[], Row> asRows() {
    return RecordFrame::row;
  }

  /** The type of the rows. */
  public static TypeInformation<Row> type() {
    return RecordFrame.type();
  }
}

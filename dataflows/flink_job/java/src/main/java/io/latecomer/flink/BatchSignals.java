package io.latecomer.flink;

import java.util.concurrent.ScheduledFuture;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Tells the service stage when to ask. A signal is a kind (1 byte) and a number that belongs to the Python side; {@code
 * dataflows/flink_job/handover.py}, where the evaluations wait, is the other half.
 *
 * <p>Of the signals of the windows, that a batch is full passes, and that a first evaluation waits starts the clock. When
 * that runs out, before each checkpoint barrier and at the end of the input, the service stage is told to leave nothing.
 * So neither it nor this operator has state, and nothing is lost.
 */
public final class BatchSignals extends AbstractStreamOperator<byte[]>
    implements OneInputStreamOperator<byte[], byte[]>, BoundedOneInput {
  private static final long serialVersionUID = 1L;

  private static final byte FULL = 1;
  private static final byte LEAVE_NOTHING = 2;

  private final long maxWaitMs;

  private transient byte[] leaveNothing;
  private transient ScheduledFuture<?> timer;

  public BatchSignals(long maxWaitMs) {
    this.maxWaitMs = maxWaitMs;
  }

  @Override
  public void processElement(StreamRecord<byte[]> element) {
    byte[] signal = element.getValue();
    if (leaveNothing == null) {
      leaveNothing = signal.clone();
      leaveNothing[0] = LEAVE_NOTHING;
    }
    if (signal[0] == FULL) {
      stopTimer();
      output.collect(element);
    }
    if (timer == null) { // also behind a full batch: its answers come with the next signal
      long at = getProcessingTimeService().getCurrentProcessingTime() + maxWaitMs;
      timer = getProcessingTimeService().registerTimer(at, timestamp -> leaveNothing());
    }
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
    leaveNothing();
    super.prepareSnapshotPreBarrier(checkpointId);
  }

  @Override
  public void endInput() {
    leaveNothing();
    leaveNothing = null; // the service stage is closed before the last checkpoint
  }

  private void leaveNothing() {
    stopTimer();
    if (leaveNothing != null) {
      output.collect(new StreamRecord<>(leaveNothing));
    }
  }

  private void stopTimer() {
    if (timer != null) {
      timer.cancel(false);
      timer = null;
    }
  }
}

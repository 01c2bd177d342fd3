package io.latecomer.flink;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.concurrent.ScheduledFuture;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Gathers byte arrays into batches for one call of the stage behind: each behind its size (4 bytes, big-endian).
 *
 * <p>A batch is bounded in elements, in bytes and in the time that its first element waits. It is let go before each
 * checkpoint barrier and at the end of the input, so this operator has no state and loses nothing.
 */
public final class MicroBatchOperator extends AbstractStreamOperator<byte[]>
    implements OneInputStreamOperator<byte[], byte[]>, BoundedOneInput {
  private static final long serialVersionUID = 1L;

  private final int maxElements;
  private final int maxBytes;
  private final long maxWaitMs;

  private transient ByteArrayOutputStream batch;
  private transient int elements;
  private transient ScheduledFuture<?> timer;

  public MicroBatchOperator(int maxElements, int maxBytes, long maxWaitMs) {
    this.maxElements = maxElements;
    this.maxBytes = maxBytes;
    this.maxWaitMs = maxWaitMs;
  }

  @Override
  public void open() throws Exception {
    super.open();
    batch = new ByteArrayOutputStream();
  }

  @Override
  public void processElement(StreamRecord<byte[]> element) {
    byte[] value = element.getValue();
    if (elements > 0 && batch.size() + 4 + value.length > maxBytes) {
      letGo();
    }
    batch.writeBytes(ByteBuffer.allocate(4).putInt(value.length).array());
    batch.writeBytes(value);
    elements++;
    if (elements == maxElements) {
      letGo();
    } else if (timer == null) {
      long at = getProcessingTimeService().getCurrentProcessingTime() + maxWaitMs;
      timer = getProcessingTimeService().registerTimer(at, this::onTimer);
    }
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
    letGo();
    super.prepareSnapshotPreBarrier(checkpointId);
  }

  @Override
  public void endInput() {
    letGo();
  }

  private void onTimer(long timestamp) {
    timer = null;
    letGo();
  }

  private void letGo() {
    if (timer != null) {
      timer.cancel(false);
      timer = null;
    }
    if (elements > 0) {
      byte[] whole = batch.toByteArray();
      batch.reset();
      elements = 0;
      output.collect(new StreamRecord<>(whole));
    }
  }
}

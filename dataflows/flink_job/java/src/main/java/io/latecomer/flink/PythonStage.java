package io.latecomer.flink;

import org.apache.flink.runtime.event.WatermarkEvent;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.api.operators.StreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.LatencyMarker;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributes;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.util.OutputTag;
import org.apache.flink.util.WrappingRuntimeException;
import org.apache.flink.util.function.ThrowingConsumer;

/**
 * The Python operator, which PyFlink would put into the task's chain, inside another operator
 * instead: a batch goes in, and its answer comes out before the call returns. It keeps no state,
 * sets no timer and is told no watermark.
 *
 * <p>Flink itself joins operators in this way, for SQL ({@code MultipleInputStreamOperatorBase})
 * and for machine learning ({@code AbstractWrapperOperator}).
 */
final class PythonStage {
  private final OneInputStreamOperator<byte[], byte[]> operator;

  PythonStage(
      StreamOperatorFactory<byte[]> factory,
      StreamOperatorParameters<?> outer,
      ThrowingConsumer<byte[], ? extends Exception> answers) {
    StreamOperatorParameters<byte[]> parameters =
        new StreamOperatorParameters<>(
            outer.getContainingTask(),
            outer.getStreamConfig(),
            new Answers(answers),
            outer::getProcessingTimeService,
            outer.getOperatorEventDispatcher(),
            outer.getMailboxExecutor());
    operator = factory.createStreamOperator(parameters);
  }

  void initializeState() throws Exception {
    operator.initializeState(NoState.INITIALIZER);
  }

  void open() throws Exception {
    operator.open();
  }

  void process(byte[] batch) throws Exception {
    operator.processElement(new StreamRecord<>(batch));
  }

  void endInput() throws Exception {
    if (operator instanceof BoundedOneInput bounded) {
      bounded.endInput();
    }
  }

  void finish() throws Exception {
    operator.finish();
  }

  void close() throws Exception {
    operator.close();
  }

  private record Answers(ThrowingConsumer<byte[], ? extends Exception> consumer)
      implements Output<StreamRecord<byte[]>> {
    @Override
    public void collect(StreamRecord<byte[]> answer) {
      try {
        consumer.accept(answer.getValue());
      } catch (Exception error) {
        throw new WrappingRuntimeException(error);
      }
    }

    @Override
    public <X> void collect(OutputTag<X> tag, StreamRecord<X> record) {
      throw new UnsupportedOperationException("an answer has no side output");
    }

    @Override
    public void emitWatermark(Watermark mark) {
      throw new UnsupportedOperationException("no watermark was given to it");
    }

    @Override
    public void emitWatermark(WatermarkEvent watermark) {
      throw new UnsupportedOperationException("no watermark was given to it");
    }

    @Override
    public void emitWatermarkStatus(WatermarkStatus status) {
      throw new UnsupportedOperationException("no watermark status was given to it");
    }

    @Override
    public void emitLatencyMarker(LatencyMarker marker) {
      throw new UnsupportedOperationException("no latency marker was given to it");
    }

    @Override
    public void emitRecordAttributes(RecordAttributes attributes) {
      throw new UnsupportedOperationException("no record attributes were given to it");
    }

    @Override
    public void close() {}
  }
}

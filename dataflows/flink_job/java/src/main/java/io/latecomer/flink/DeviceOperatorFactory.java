package io.latecomer.flink;

import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.SimpleOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.types.Row;

/** Makes a {@link DeviceOperator} for each subtask, with a Python operator inside it. */
public final class DeviceOperatorFactory extends AbstractStreamOperatorFactory<Row>
    implements OneInputStreamOperatorFactory<Row, Row> {
  private static final long serialVersionUID = 1L;

  private final StreamOperatorFactory<byte[]> python;
  private final int maxEntries;
  private final long maxWaitMs;
  private final String export;

  /**
   * @param python takes batches and gives answers
   * @param maxEntries of a batch
   * @param maxWaitMs how long an entry waits at most for its batch to fill, in ms
   * @param export the exported state to begin with where nothing is restored; null: there is none
   */
  public DeviceOperatorFactory(
      StreamOperator<byte[]> python, int maxEntries, long maxWaitMs, String export) {
    this.python = SimpleOperatorFactory.of(python);
    this.maxEntries = maxEntries;
    this.maxWaitMs = maxWaitMs;
    this.export = export;
  }

  @Override
  @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"}) // the signature is Flink's
  public <T extends StreamOperator<Row>> T createStreamOperator(
      StreamOperatorParameters<Row> parameters) {
    return (T) new DeviceOperator(parameters, python, maxEntries, maxWaitMs, export);
  }

  @Override
  @SuppressWarnings("rawtypes")
  public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader classLoader) {
    return DeviceOperator.class;
  }
}

package io.latecomer.flink;

import java.util.OptionalLong;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.runtime.state.AsyncKeyedStateBackend;
import org.apache.flink.runtime.state.CheckpointableKeyedStateBackend;
import org.apache.flink.runtime.state.KeyGroupStatePartitionStreamProvider;
import org.apache.flink.runtime.state.OperatorStateBackend;
import org.apache.flink.runtime.state.StatePartitionStreamProvider;
import org.apache.flink.streaming.api.operators.InternalTimeServiceManager;
import org.apache.flink.streaming.api.operators.StreamOperatorStateContext;
import org.apache.flink.streaming.api.operators.StreamTaskStateInitializer;
import org.apache.flink.util.CloseableIterable;

/**
 * The state of an operator that has none: a second set of backends under the id of the operator
 * around it would be one too many.
 */
final class NoState implements StreamOperatorStateContext {
  static final StreamTaskStateInitializer INITIALIZER =
      (id, name, time, keys, serializer, closeables, metrics, memory, isRawKeyed, isAsync) ->
          new NoState();

  @Override
  public OptionalLong getRestoredCheckpointId() {
    return OptionalLong.empty();
  }

  @Override
  public OperatorStateBackend operatorStateBackend() {
    return null;
  }

  @Override
  public TypeSerializer<?> keySerializer() {
    return null;
  }

  @Override
  public CheckpointableKeyedStateBackend<?> keyedStateBackend() {
    return null;
  }

  @Override
  public AsyncKeyedStateBackend<?> asyncKeyedStateBackend() {
    return null;
  }

  @Override
  public InternalTimeServiceManager<?> internalTimerServiceManager() {
    return null;
  }

  @Override
  public InternalTimeServiceManager<?> asyncInternalTimerServiceManager() {
    return null;
  }

  @Override
  public CloseableIterable<StatePartitionStreamProvider> rawOperatorStateInputs() {
    return CloseableIterable.empty();
  }

  @Override
  public CloseableIterable<KeyGroupStatePartitionStreamProvider> rawKeyedStateInputs() {
    return CloseableIterable.empty();
  }
}

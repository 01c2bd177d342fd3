package io.latecomer.flink;

/**
 * The clock of one partition, and where a run stops in it: rules 9 and 10, as {@code
 * dataflows/pipeline/reader.py} has them for the other engine. They are applied here too, since
 * arrivals have to be clamped before records are keyed; the rest is decided in Python, by that
 * module.
 */
final class PartitionClock {
  /** Before the first valid arrival. Less 1 ms, it is Flink's beginning of time. */
  static final long NOT_BEGUN = Long.MIN_VALUE + 1;

  private static final long MAX_TIME_MS = 253_402_300_799_999L; // the year 9999
  private static final long JUMP_MS = 86_400_000L;

  private final TopicLog log;
  private long nowMs;
  private boolean hasEnded;

  PartitionClock(TopicLog log, long nowMs) {
    this.log = log;
    this.nowMs = nowMs;
  }

  /** The largest valid arrival of the records that were read. */
  long nowMs() {
    return nowMs;
  }

  /**
   * Whether the run reads the next record. Its frame is then given the arrival that counts, which
   * is never below that of the record before it.
   */
  boolean reads(byte[] frame) {
    if (hasEnded) {
      return false;
    }
    long stampMs = RecordFrame.arrivalMs(frame);
    boolean isTime = 0 <= stampMs && stampMs <= MAX_TIME_MS;
    long arrivalMs = isTime ? Math.max(stampMs, nowMs) : nowMs;
    if (log.untilMs() != null && arrivalMs > log.untilMs()) {
      hasEnded = true;
      return false;
    }
    if (isTime && nowMs != NOT_BEGUN) {
      if (stampMs < nowMs) {
        RecordFrame.clamp(frame, nowMs);
      } else if (stampMs - nowMs >= JUMP_MS && log.hasProducersClock()) {
        RecordFrame.mark(frame, RecordFrame.JUMPED);
      }
    }
    nowMs = arrivalMs;
    return true;
  }
}

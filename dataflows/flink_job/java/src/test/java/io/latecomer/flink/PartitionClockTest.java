package io.latecomer.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Rules 9 and 10, as {@code tests/dataflows/pipeline/test_reader.py} has them for Python. */
final class PartitionClockTest {
  private static final long DAY_MS = 86_400_000L;
  private static final long LAST_MS = 253_402_300_799_999L;

  private static PartitionClock clock(Long untilMs, boolean hasProducersClock) {
    TopicLog log =
        new TopicLog(
            "kafka://b:1/t",
            "t",
            null,
            1,
            hasProducersClock,
            "a",
            null,
            untilMs,
            untilMs,
            null,
            null);
    return new PartitionClock(log, PartitionClock.NOT_BEGUN);
  }

  private static byte[] frame(long stampMs) {
    return RecordFrame.frame(RecordFrame.row(stampMs, 0, 7, new byte[] {'d'}, new byte[0]));
  }

  private static byte marks(byte[] frame) {
    return frame[0];
  }

  @Test
  void anArrivalThatGoesBackIsClampedToTheClockAndMarked() {
    PartitionClock clock = clock(null, true);
    assertTrue(clock.reads(frame(1_000)));
    byte[] back = frame(999);
    assertTrue(clock.reads(back));
    assertEquals(1_000, RecordFrame.arrivalMs(back));
    assertEquals(RecordFrame.RECORD | RecordFrame.CLAMPED, marks(back));
    byte[] same = frame(1_000);
    assertTrue(clock.reads(same));
    assertEquals(RecordFrame.RECORD, marks(same));
  }

  @Test
  void whatIsNoValidTimeMovesNoClockAndIsReadAsItStands() {
    PartitionClock clock = clock(null, true);
    for (long stampMs : new long[] {-1, LAST_MS + 1, Long.MAX_VALUE, Long.MIN_VALUE}) {
      byte[] invalid = frame(stampMs);
      assertTrue(clock.reads(invalid));
      assertEquals(stampMs, RecordFrame.arrivalMs(invalid));
      assertEquals(RecordFrame.RECORD, marks(invalid));
      assertEquals(PartitionClock.NOT_BEGUN, clock.nowMs());
    }
    assertTrue(clock.reads(frame(0)));
    assertEquals(0, clock.nowMs());
    assertTrue(clock.reads(frame(LAST_MS)));
    assertEquals(LAST_MS, clock.nowMs());
  }

  @Test
  void aProducersClockThatGoesAheadByADayIsMarkedAndTheBrokersIsNot() {
    PartitionClock clock = clock(null, true);
    byte[] first = frame(DAY_MS);
    byte[] less = frame(2 * DAY_MS - 1);
    byte[] jump = frame(3 * DAY_MS - 1);
    for (byte[] frame : new byte[][] {first, less, jump}) {
      assertTrue(clock.reads(frame));
    }
    assertEquals(RecordFrame.RECORD, marks(first));
    assertEquals(RecordFrame.RECORD, marks(less));
    assertEquals(RecordFrame.RECORD | RecordFrame.JUMPED, marks(jump));
    PartitionClock brokers = clock(null, false);
    byte[] silence = frame(DAY_MS);
    assertTrue(brokers.reads(frame(0)));
    assertTrue(brokers.reads(silence));
    assertEquals(RecordFrame.RECORD, marks(silence));
  }

  @Test
  void theFirstLaterArrivalEndsThePartitionAndNothingBehindItIsRead() {
    PartitionClock clock = clock(1_000L, true);
    assertTrue(clock.reads(frame(1_000)));
    assertTrue(clock.reads(frame(-1)));
    assertFalse(clock.reads(frame(1_001)));
    for (long stampMs : new long[] {1_000, 1, -1}) {
      assertFalse(clock.reads(frame(stampMs)));
    }
    assertEquals(1_000, clock.nowMs());
  }
}

package io.latecomer.services.columns;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The readings of one sensor of a column that the scale of its running sums does not hold, and
 * their exact sum over any range of rows.
 *
 * <p>A sum is an integer multiple of the smallest float32, in five words: the largest float32 takes
 * 277 bits, and 2^31 of them 308. One is kept for every 64 rows, so that a sum over a range is a
 * subtraction, and at most 126 readings at its ends. Memory: 52 bytes for 64 rows.
 */
final class ApartReadings {
  private static final int WORDS = 5;
  private static final int MAGNITUDE = 0x7fffffff;
  private static final int SIGNIFICAND_BITS = 24;

  private final MarkedRows marked;

  /** All readings of the column; those of this sensor begin at {@code first}. */
  private final float[] readings;

  private final int first;

  /** Of the readings in the 64 rows before each block; known up to the last block with a mark. */
  private final long[] sums;

  private final long[] total = new long[WORDS];
  private int lastBlock;

  ApartReadings(float[] readings, int first, int room) {
    this.readings = readings;
    this.first = first;
    marked = new MarkedRows(room);
    sums = new long[WORDS * (room / Long.SIZE + 1)];
  }

  void add(int row) {
    int block = row / Long.SIZE;
    while (lastBlock < block) {
      System.arraycopy(total, 0, sums, WORDS * ++lastBlock, WORDS);
    }
    marked.mark(row);
    add(total, readings[first + row]);
  }

  boolean areIn(int start, int end) {
    return marked.count(start, end) > 0;
  }

  /** Their sum, in units of 2^-149. */
  BigInteger sum(int start, int end) {
    return number(sumBelow(end)).subtract(number(sumBelow(start)));
  }

  private long[] sumBelow(int row) {
    int block = row / Long.SIZE;
    if (block > lastBlock) {
      return total;
    }
    long[] sum = Arrays.copyOfRange(sums, WORDS * block, WORDS * (block + 1));
    for (long rest = marked.inWordBelow(row); rest != 0; rest &= rest - 1) {
      add(sum, readings[first + block * Long.SIZE + Long.numberOfTrailingZeros(rest)]);
    }
    return sum;
  }

  /** The lowest word first; a negative sum is the complement. */
  private static BigInteger number(long[] sum) {
    ByteBuffer bytes = ByteBuffer.allocate(WORDS * Long.BYTES);
    for (int word = WORDS - 1; word >= 0; word--) {
      bytes.putLong(sum[word]);
    }
    return new BigInteger(bytes.array());
  }

  private static void add(long[] sum, float reading) {
    int bits = Float.floatToRawIntBits(reading);
    int shift = RunningSums.exponent(bits & MAGNITUDE) - 1;
    long significand = RunningSums.significand(bits & MAGNITUDE);
    int word = shift / Long.SIZE;
    long low = significand << shift;
    int inWord = shift % Long.SIZE;
    long high = inWord > Long.SIZE - SIGNIFICAND_BITS ? significand >>> (Long.SIZE - inWord) : 0;
    if (bits < 0) {
      subtract(sum, word, low, high);
    } else {
      add(sum, word, low, high);
    }
  }

  private static void add(long[] sum, int word, long low, long high) {
    sum[word] += low;
    long carry = Long.compareUnsigned(sum[word], low) < 0 ? 1 : 0;
    long more = high + carry; // the upper part has 24 bits: it cannot overflow
    for (int i = word + 1; i < WORDS && more != 0; i++) {
      sum[i] += more;
      more = Long.compareUnsigned(sum[i], more) < 0 ? 1 : 0;
    }
  }

  private static void subtract(long[] sum, int word, long low, long high) {
    long borrow = Long.compareUnsigned(sum[word], low) < 0 ? 1 : 0;
    sum[word] -= low;
    long less = high + borrow;
    for (int i = word + 1; i < WORDS && less != 0; i++) {
      borrow = Long.compareUnsigned(sum[i], less) < 0 ? 1 : 0;
      sum[i] -= less;
      less = borrow;
    }
  }
}

package io.latecomer.services.columns;

/**
 * Some of the rows of a column, marked in ascending order: how many lie in a range is two look-ups.
 * Memory: 12 bytes for 64 rows.
 */
final class MarkedRows {
  private final long[] bits;

  /** How many are marked in the words before each; known up to the last word with a mark. */
  private final int[] before;

  private int lastWord;
  private int total;

  MarkedRows(int room) {
    bits = new long[room / Long.SIZE + 1];
    before = new int[bits.length];
  }

  void mark(int row) {
    int word = row / Long.SIZE;
    while (lastWord < word) {
      before[++lastWord] = total;
    }
    bits[word] |= 1L << row;
    total++;
  }

  int count(int start, int end) {
    return countBelow(end) - countBelow(start);
  }

  private int countBelow(int row) {
    int word = row / Long.SIZE;
    return word > lastWord ? total : before[word] + Long.bitCount(below(word, row));
  }

  /** The marks of the word of a row, up to, without, the row: bit 0 is its first row. */
  private long below(int word, int row) {
    return bits[word] & (1L << row) - 1;
  }

  /** The marks of the word that a row lies in, of the rows below it. */
  long inWordBelow(int row) {
    return below(row / Long.SIZE, row);
  }

  /** The first marked row from {@code start} on; there is one. */
  int next(int start) {
    int word = start / Long.SIZE;
    long rest = bits[word] & -1L << start;
    while (rest == 0) {
      rest = bits[++word];
    }
    return word * Long.SIZE + Long.numberOfTrailingZeros(rest);
  }
}

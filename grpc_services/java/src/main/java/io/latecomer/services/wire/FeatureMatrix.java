package io.latecomer.services.wire;

import io.latecomer.v1.FeatureBatch;
import io.latecomer.v1.RowError;
import java.util.BitSet;
import java.util.List;

/**
 * The decoder of a {@link FeatureBatch} as a request: the features that a model reads, for each
 * row, in the model's order.
 *
 * <p>Faults of its shape concern all rows, so it is refused whole. A row fails alone for its
 * values, or because it failed before: it came out of the feature service as zeros, which must not
 * be taken for features.
 */
public final class FeatureMatrix {
  /**
   * A row that fails costs many times the bytes it is made of: this bounds the whole. The Python
   * servers have the same.
   */
  public static final int MOST_ROWS = 65_536;

  private final List<String> wanted;
  private final float[] values;
  private final int rows;
  private final int names;

  /** Where each wanted feature stands in a row. */
  private final int[] positions;

  private final BitSet failedBefore = new BitSet();

  /**
   * Looks at the shape of a batch.
   *
   * @param wanted names of the features that the model reads; others are ignored
   * @throws RequestError if there are too many rows, the values are no matrix, a wanted feature is
   *     missing or repeated
   */
  public FeatureMatrix(FeatureBatch batch, List<String> wanted) {
    this.wanted = wanted;
    long given = Integer.toUnsignedLong(batch.getRows());
    if (given > MOST_ROWS) {
      throw RequestError.of("rows: %d, a request may have %d", given, MOST_ROWS);
    }
    rows = (int) given;
    names = batch.getNameCount();
    long needed = (long) rows * names * Float.BYTES;
    if (batch.getValues().size() != needed) {
      throw RequestError.of(
          "values: %d bytes are not %d rows of %d names, float32, %d bytes",
          batch.getValues().size(), rows, names, needed);
    }
    positions = FeatureNames.positions(batch.getNameList(), wanted);
    values = Column.floats(batch.getValues());
    for (RowError error : batch.getErrorList()) {
      long row = Integer.toUnsignedLong(error.getRow());
      if (row >= rows) {
        throw RequestError.of("error: row %d of %d", row, rows);
      }
      failedBefore.set((int) row);
    }
  }

  public int rows() {
    return rows;
  }

  /** The wanted features of one row, in the order they were wanted. */
  public float[] row(int row) {
    float[] features = new float[positions.length];
    for (int i = 0; i < positions.length; i++) {
      features[i] = values[row * names + positions[i]];
    }
    return features;
  }

  /**
   * Why the row, whose features are given, cannot be answered: the text names the field. Null if it
   * can.
   */
  public String fault(int row, float[] features) {
    if (failedBefore.get(row)) {
      return "error: this row failed before, it holds no features";
    }
    for (int i = 0; i < features.length; i++) {
      if (!Float.isFinite(features[i])) {
        return "feature: " + wanted.get(i) + " is not finite";
      }
    }
    return null;
  }
}

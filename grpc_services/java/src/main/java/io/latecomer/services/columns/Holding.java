package io.latecomer.services.columns;

/** Who says whether there is memory for a new column, and makes it. */
interface Holding {
  /**
   * Memory for the readings of a new column; null if there is no room for it.
   *
   * @param begins rows that it begins with
   * @param room rows that it may hold, {@code begins} among them
   * @throws io.latecomer.services.wire.RequestError if columns may not begin with so many
   */
  Readings take(int number, int begins, int room);

  /** The memory of a column is free again. */
  void free(int room);

  /** All is free again. */
  void close();
}

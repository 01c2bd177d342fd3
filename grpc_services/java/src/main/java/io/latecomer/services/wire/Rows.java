package io.latecomer.services.wire;

/** The ids of a batch say how many rows it has. */
final class Rows {
  /**
   * A row that fails costs many times the bytes it is made of: this bounds the whole. The Python
   * servers have the same.
   */
  static final int MOST = 65_536;

  private Rows() {}

  static int count(int evaluationIds, int deviceIds) {
    if (deviceIds != evaluationIds) {
      throw new RequestError(
          RequestError.text(
              "device_id: %d values, evaluation_id has %d", deviceIds, evaluationIds));
    }
    if (evaluationIds > MOST) {
      throw new RequestError(
          RequestError.text("evaluation_id: %d rows, a request may have %d", evaluationIds, MOST));
    }
    return evaluationIds;
  }
}

package io.latecomer.services.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

final class LogisticRegressionTest {
  private static String score(float... features) {
    return NumberText.general(LogisticRegression.probability(features));
  }

  @Test
  void theFeaturesOfTheOriginalDemoHaveTheScoreOfTheCorrectFormula() {
    assertEquals("0.515127767", score(0.48174313f, 0.50363654f, 0.50414276f, 0.49269974f));
  }

  @Test
  void featuresOfZeroLeaveTheIntercept() {
    assertEquals("0.501499996", score(0, 0, 0, 0));
  }

  @Test
  void theLargestFeaturesNeitherOverflowNorGiveNaN() {
    float most = Float.MAX_VALUE;
    assertEquals("1", score(most, most, most, most));
    assertEquals("0", score(-most, -most, -most, -most));
    assertTrue(
        Double.isFinite(LogisticRegression.probability(new float[] {most, -most, most, -most})));
  }

  @Test
  void verySmallProbabilitiesKeepTheirDigits() {
    assertEquals(Math.exp(-700), LogisticRegression.logistic(-700), 1e-318);
    assertEquals(0.5, LogisticRegression.logistic(0));
  }
}

package io.latecomer.services.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.examples.ml.FeatureList;
import io.grpc.examples.ml.RawEvent;
import io.grpc.examples.ml.RawEventList;
import io.latecomer.services.rules.Sensors;
import io.latecomer.services.wire.RequestError;
import org.junit.jupiter.api.Test;

final class OriginalFeaturesTest {
  private static RawEvent.Builder event(long time, float sensor1) {
    return RawEvent.newBuilder().setTime(time).setSensor1(sensor1).setSensor2(2).setSensor3(3);
  }

  private static String refusal(RawEventList.Builder list) {
    return assertThrows(
            RequestError.class, () -> OriginalRules.features(list.build(), Sensors.DEMO))
        .getMessage();
  }

  @Test
  void aListWithNoEventIsRefused() {
    assertEquals("event: the window holds no event", refusal(RawEventList.newBuilder()));
  }

  @Test
  void aReadingThatIsNotFiniteIsRefusedByName() {
    RawEventList.Builder list = RawEventList.newBuilder().addEvent(event(1, 1));
    assertEquals(
        "sensor1: not finite in event 1 of the window",
        refusal(list.clone().addEvent(event(2, Float.NaN))));
    assertEquals(
        "sensor4: not finite in event 1 of the window",
        refusal(list.addEvent(event(2, 1).setSensor4(Float.POSITIVE_INFINITY))));
  }

  @Test
  void aServerForOtherSensorsSaysWhichOnes() {
    RawEventList list = RawEventList.newBuilder().addEvent(event(1, 1)).build();
    Sensors others = Sensors.parsed("temperature, door?");
    Status status =
        assertThrows(StatusRuntimeException.class, () -> OriginalRules.features(list, others))
            .getStatus();
    assertEquals(Status.Code.FAILED_PRECONDITION, status.getCode());
    assertEquals("this server is for the sensors temperature, door?", status.getDescription());
  }

  @Test
  void whateverElseAnOldClientSendsIsAnswered() {
    RawEventList list =
        RawEventList.newBuilder()
            .addEvent(event(9, 1).setDeviceId("of another device"))
            .addEvent(event(-5, 2))
            .build();
    FeatureList features = OriginalRules.features(list, Sensors.DEMO);
    assertEquals("", features.getDeviceId());
    assertEquals(1.5f, features.getFeature(0).getValue());
    assertEquals(0.0f, features.getFeature(3).getValue());
  }
}

/** One event of the demo, by the names of its fields in JSON. */
public class Event {
  public String device_id;
  public long time;
  public float sensor1;
  public float sensor2;
  public float sensor3;
  public float sensor4;
}

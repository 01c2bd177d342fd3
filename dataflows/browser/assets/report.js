// The report of a run: its facts, its sections, and the device and the value that the reader chooses.

const report = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main");

const ROW_HEIGHT = 16;
const OVERALL = ["device", "mean", "least", "largest"];
const OVER_TIME = ["time", "mean", "least", "largest", "evaluations", "late"];
const KINDS = { device: "text", time: "time", evaluations: "count", late: "count" };
const TITLES = { time: "from", late: "of late events" };

function columnsOf(keys) {
  return keys.map((key) => ({ key, title: TITLES[key] ?? key, kind: KINDS[key] ?? "number" }));
}

/** Of every device the mean, the least and the largest of a value. */
function fleetFigure(detail, value) {
  const devices = Object.entries(detail.devices);
  const some = devices.length < detail.number ? ` These are the ${devices.length} worst of ${detail.number} devices.` : "";
  return {
    name: "value-by-device", title: `${detail.values[value]} by device`,
    note: `From the least to the largest of all evaluations, and the mean.${some}`,
    columns: columnsOf(OVERALL), rows: devices.map(([device, series]) => [device, ...series.overall[value]]),
    chart: { ...detail.fleet, height: ROW_HEIGHT * devices.length },
  };
}

/** A value of one device, step by step. */
function deviceFigure(detail, value, device) {
  const series = detail.devices[device];
  const [mean, least, largest] = series.values[value];
  const { layer } = detail.over_time; // the marks of late events are the last
  const chart = { ...detail.over_time, layer: series.late.some(Boolean) ? layer : layer.slice(0, -1) };
  return {
    name: "value-over-time", title: `${detail.values[value]} of ${device}`,
    note: "The mean of each step of time, and from its least to its largest. Triangles: late events came, the larger the more.",
    columns: columnsOf(OVER_TIME), chart,
    rows: series.time.map((time, at) => [time, mean[at], least[at], largest[at], series.evaluations[at], series.late[at]]),
  };
}

function choice(label, options) {
  const select = element("select", {}, ...options.map((text, at) => element("option", { value: at }, text)));
  return [element("label", {}, label, select), select];
}

function detailSection(detail) {
  const devices = Object.keys(detail.devices);
  const [valueLabel, value] = choice("Value ", detail.values);
  const [deviceLabel, device] = choice("Device ", devices);
  const place = element("div", { class: "figures" });
  const draw = () => {
    const overTime = figureElement(deviceFigure(detail, Number(value.value), devices[device.value]));
    const fleet = figureElement(fleetFigure(detail, Number(value.value)));
    place.replaceChildren(overTime, fleet);
    return Promise.all([overTime.draw(), fleet.draw()]);
  };
  for (const select of [value, device]) select.addEventListener("change", draw);
  const made = element("section", { id: "values" }, element("h2", {}, "Scores and features"),
    element("div", { class: "choices" }, valueLabel, deviceLabel), place);
  made.draw = draw;
  return made;
}

const facts = element("dl", { class: "facts" });
for (const [name, text] of report.facts) facts.append(element("dt", {}, name), element("dd", {}, text));
main.append(element("h1", {}, report.title), facts);
if (report.empty) main.append(element("p", { id: "empty" }, report.empty));
const drawings = [];
for (const section of report.sections) {
  const made = section.figures.map(figureElement);
  main.append(element("section", {}, element("h2", {}, section.title), element("div", { class: "figures" }, ...made)));
  drawings.push(...made);
  if (section.title === "Evaluations" && report.detail) {
    drawings.push(detailSection(report.detail));
    main.append(drawings.at(-1));
  }
}
await Promise.all(drawings.map((made) => made.draw?.()));
document.body.dataset.ready = "yes";

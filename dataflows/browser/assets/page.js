// The live page: the fleet, a device's window at the evaluation that the reader chooses, and rejections as they come.

const page = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main");

const LOOK_EVERY_MS = 2000;
const READ_LOG_EVERY_MS = 5000; // at most: the log is read as a whole for it
const DEVICES_SHOWN = 300;

const CAUSES = {
  event: "an event, the newest of the window",
  late_event: "a late event: older than the newest, and still inside the window",
  tick: "a tick: the periodic look at the window, on the clock of the log",
};

const state = { version: "", fleet: null, device: null, evaluations: [], read: 0, readAt: 0, wanted: 0 };

/** What the server says; its problem, if it has one, is an error. */
async function ask(path, asked) {
  let answer;
  try {
    answer = await fetch(`${path}?${new URLSearchParams(asked)}`);
  } catch {
    throw new Error("latecomer page has ended, or does not answer");
  }
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.problem);
  return said;
}

const problem = element("p", { id: "problem", role: "alert" });
const counts = element("p", { id: "counts", class: "note" });
const filter = element("input", { type: "search", id: "filter", placeholder: "part of an id", autocomplete: "off" });
const fleetTable = element("div", { id: "fleet", class: "scroll" });
const fleetNote = element("p", { class: "note" });
const title = element("h2", { id: "device-title", tabindex: "-1" }, "No device is chosen");
const hint = element("p", { class: "note" }, "Choose one in the fleet to see its window.");
const slider = element("input", { type: "range", min: "0", max: "0", value: "0", id: "slider" });
const sensor = element("select", { id: "sensor" });
const moment = element("output", { id: "moment", for: "slider" });
const windowPlace = element("div", { id: "window" });
const explained = element("dl", { class: "facts", id: "explained" });
const answer = element("div", { id: "answer" });
const explain = element("button", { type: "button", id: "explain" }, "Explain");
const explanation = element("dl", { class: "facts", id: "explanation", "aria-live": "polite" });
const look = element("div", { hidden: "" },
  element("div", { class: "choices" },
    element("label", { class: "wide" }, "Evaluation ", slider), element("label", {}, "Sensor ", sensor)),
  moment, windowPlace, element("h3", {}, "Why"), explained, answer, explain, explanation);
const rejections = element("div", { id: "rejections", class: "scroll", tabindex: "0", role: "region", "aria-label": "Rejections" });

main.append(
  element("h1", {}, page.title), counts, problem,
  element("div", { class: "figures" },
    element("section", { class: "card" }, element("h2", {}, "Fleet"),
      element("label", {}, "Show ", filter), fleetNote, fleetTable),
    element("section", { class: "card" }, title, hint, look)),
  element("section", { class: "card" }, element("h2", {}, "Rejections, the latest first"), rejections));

function table(head, rows) {
  return element("table", {},
    element("thead", {}, element("tr", {}, ...head.map(([text, kind]) => element("th", { scope: "col", class: kind }, text)))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {},
      ...cells.map((cell, at) => element("td", { class: head[at][1] }, cell ?? ""))))));
}

function showFleet() {
  const { devices, number } = state.fleet;
  const found = devices.filter((device) => device.device.includes(filter.value));
  const focused = fleetTable.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const scrolled = fleetTable.scrollTop;
  fleetNote.textContent = `${Math.min(found.length, DEVICES_SHOWN)} of ${number} devices, those with the largest share of late or ` +
    "rejected records first.";
  const link = ({ device }) => element("a", {
    href: `#${encodeURIComponent(device)}`, ...(device === state.device ? { "aria-current": "true" } : {}) }, device);
  fleetTable.replaceChildren(table(
    [["device", "text"], ["late or rejected", "share"], ["evaluations", "count"], ["late", "count"], ["rejected", "count"],
      ["refused", "count"], ["last event", "time"], ["last result", "text"]],
    found.slice(0, DEVICES_SHOWN).map((device) => [link(device), cellText(device.share, "share"),
      cellText(device.evaluations, "count"), cellText(device.late, "count"), cellText(device.rejected, "count"),
      cellText(device.refused, "count"), cellText(device.last_ms, "time"), Object.values(device.result ?? {}).join(", ")])));
  fleetTable.scrollTop = scrolled;
  if (focused) [...fleetTable.querySelectorAll("a")].find((one) => one.getAttribute("href") === focused)?.focus();
}

function showRejections() {
  rejections.replaceChildren(state.fleet.rejections.length ? table(
    [["device", "text"], ["reason", "text"], ["position", "text"], ["at", "time"], ["more", "text"]],
    state.fleet.rejections.map((one) => [one.device_id, one.reason, one.position,
      cellText(one.arrival_ms ?? one.as_of_ms, "time"), moreOf(one)])) : element("p", { class: "none" }, "None so far."));
}

function moreOf(rejection) {
  if (rejection.reason === "TOO_LATE") return `by ${spanText(rejection.late_by_ms)}`;
  if (rejection.reason === "INVALID") return [rejection.error, rejection.field].filter(Boolean).join(": ");
  if (rejection.reason === "REFUSED") return `${rejection.service}: ${rejection.status} ${rejection.message}`;
  return rejection.event ? `time ${instantText(rejection.event.time)}` : "";
}

/** The evaluations of the chosen device, from its log; the slider stays, or goes on with the latest if it stood there. */
async function readEvaluations() {
  const device = state.device;
  const follows = Number(slider.value) >= state.evaluations.length - 1;
  state.readAt = performance.now();
  state.read = evaluationsOf(device);
  const evaluations = await ask("/evaluations", { device });
  if (device !== state.device) return;
  const shown = state.evaluations[Number(slider.value)]?.id;
  state.evaluations = evaluations;
  slider.max = Math.max(evaluations.length - 1, 0);
  const place = evaluations.findIndex((one) => one.id === shown);
  slider.value = follows || place < 0 ? slider.max : place;
  look.hidden = !evaluations.length;
  hint.textContent = evaluations.length ? "Move the slider, also by the arrow keys, to see the window as it was."
    : "The log has no evaluation of this device.";
  await showWindow();
}

function evaluationsOf(device) {
  return state.fleet?.devices.find((one) => one.device === device)?.evaluations ?? 0;
}

async function showWindow() {
  const evaluation = state.evaluations[Number(slider.value)];
  if (!evaluation) return;
  const wanted = ++state.wanted;
  const text = `${Number(slider.value) + 1} of ${state.evaluations.length}: ${evaluation.cause} at ${instantText(evaluation.as_of_ms)}`;
  slider.setAttribute("aria-valuetext", text);
  moment.textContent = text;
  const window = await ask("/window", { device: state.device, evaluation: evaluation.id });
  if (wanted !== state.wanted) return; // the slider has moved on
  showSensors(window.sensors);
  const figure = windowFigure(window, window.sensors.indexOf(sensor.value));
  const made = figureElement(figure);
  await made.draw?.();
  if (wanted !== state.wanted) return;
  const open = windowPlace.querySelector("details")?.open;
  windowPlace.replaceChildren(made);
  if (open) made.querySelector("details").open = true;
  showFacts(window);
  if (windowPlace.dataset.evaluation !== evaluation.id) explanation.replaceChildren();
  windowPlace.dataset.evaluation = evaluation.id;
}

function showSensors(names) {
  if (sensor.options.length === names.length && names.every((name, at) => sensor.options[at].value === name)) return;
  sensor.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
}

function windowFigure(window, place) {
  const some = window.shown.length < window.events ? ` ${window.shown.length} of them are drawn.` : "";
  return {
    name: "window-figure", title: `${window.sensors[place]} in the window`,
    note: `${window.events} events from ${instantText(window.oldest_ms)} to ${instantText(window.newest_ms)}.${some}`,
    columns: [{ key: "time", title: "time", kind: "time" }, { key: "reading", title: "reading", kind: "number" },
      { key: "kind", title: "kind", kind: "text" }],
    rows: window.shown.map((row) => [row[0], row[2 + place], row[1]]), chart: page.window,
  };
}

function showFacts(window) {
  const late = window.cause === "late_event" ? `, ${spanText(window.newest_ms - window.event_ms)} behind it` : "";
  const before = window.events_before === null ? "the first of its session" : `before: ${window.events_before}`;
  const facts = [
    ["cause", CAUSES[window.cause] + late],
    ["evaluation", window.id],
    ["as of", instantText(window.as_of_ms) + (window.event_ms === null ? "" : `, an event of ${instantText(window.event_ms)}`)],
    ["position", window.position ?? "none: a tick"],
    ["window", `${window.events} events (${before}), in the interval from ${instantText(window.lowest_ms)} to ${instantText(window.newest_ms)}`],
  ];
  const { prediction } = window;
  if (prediction) facts.push(["model", prediction.model_id]);
  explained.replaceChildren(...facts.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]));
  answer.replaceChildren(prediction ? table([["feature or result", "text"], ["value", "number"]], [
    ...Object.entries(prediction.features).map(([name, value]) => [name, value === null ? "" : String(value)]),
    ...Object.entries(prediction.result)])
    : element("p", { class: "none" }, "The outputs have no prediction for it: not yet, no longer at hand, or REFUSED."));
}

/** The evaluation that is shown, as `latecomer explain` tells it; the log is read for it. */
async function showExplanation() {
  const { evaluation } = windowPlace.dataset;
  explanation.replaceChildren(element("dd", {}, "Reading the log…"));
  const { lines } = await ask("/explanation", { evaluation }).finally(() => explanation.replaceChildren());
  if (evaluation !== windowPlace.dataset.evaluation) return;
  explanation.replaceChildren(...lines.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]));
}

/** Run what asks the server; what goes wrong is said. */
async function told(action) {
  try {
    await action();
    problem.textContent = state.fleet?.problem ?? "";
  } catch (error) {
    problem.textContent = error.message;
  }
}

async function chooseDevice() {
  const device = decodeURIComponent(location.hash.slice(1));
  if (!device || device === state.device) return;
  Object.assign(state, { device, evaluations: [], wanted: state.wanted + 1 });
  slider.value = slider.max;
  title.textContent = device;
  hint.textContent = "Reading the log…";
  look.hidden = true;
  windowPlace.replaceChildren();
  if (state.fleet) showFleet();
  await readEvaluations();
  title.scrollIntoView({ block: "nearest" });
}

async function refresh() {
  const fleet = await ask("/fleet", { version: state.version });
  if (fleet.devices) {
    Object.assign(state, { fleet, version: fleet.version });
    counts.textContent = Object.entries(fleet.counts).map(([name, number]) => `${name} ${number.toLocaleString("en")}`).join(", ");
    showFleet();
    showRejections();
  }
  const isStale = state.device && evaluationsOf(state.device) !== state.read;
  if (isStale && performance.now() - state.readAt > READ_LOG_EVERY_MS) await readEvaluations();
}

filter.addEventListener("input", () => state.fleet && showFleet());
slider.addEventListener("input", () => told(showWindow));
sensor.addEventListener("change", () => told(showWindow));
explain.addEventListener("click", () => told(showExplanation));
addEventListener("hashchange", () => told(chooseDevice));

await told(refresh);
await told(chooseDevice);
document.body.dataset.ready = "yes";
while (true) {
  await new Promise((done) => setTimeout(done, LOOK_EVERY_MS));
  if (!document.hidden) await told(refresh);
}

// Figures: a chart drawn by Vega-Lite and its numbers as a table. Text of others is set as text, never as HTML.

const SPANS = [[86400000, "d"], [3600000, "h"], [60000, "m"], [1000, "s"], [1, "ms"]];

const LOOK = {
  background: null,
  font: "system-ui, sans-serif",
  view: { stroke: null },
  axis: {
    labelColor: "var(--quiet)", titleColor: "var(--quiet)", titleFontWeight: "normal", gridColor: "var(--line)",
    domainColor: "var(--line)", tickColor: "var(--line)", labelFontSize: 11, titleFontSize: 11,
  },
  legend: { labelColor: "var(--ink)", labelFontSize: 12, symbolType: "square", offset: 4 },
};

/** An element with attributes and children: elements or texts. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function spanText(ms) {
  const parts = [];
  for (const [length, unit] of SPANS) {
    if (ms >= length && parts.length < 2) {
      parts.push(`${Math.floor(ms / length)}${unit}`);
      ms %= length;
    } else if (parts.length) break;
  }
  return parts.join(" ") || "0";
}

function instantText(ms) {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString().replace("T", " ").replace(/\.\d+Z$/, "");
}

const CELLS = {
  text: String,
  count: (value) => value.toLocaleString("en"),
  number: (value) => String(Number(value.toPrecision(6))),
  share: (value) => `${(100 * value).toFixed(1)}%`,
  time: instantText,
  span: spanText,
};

function cellText(value, kind) {
  return value === null || value === undefined ? "" : CELLS[kind](value);
}

/** A table of the numbers; what a cell exactly is stands in its data-value. */
function tableOf(figure) {
  const head = figure.columns.map((column) => element("th", { scope: "col", class: column.kind }, column.title));
  const rows = figure.rows.map((row) =>
    element("tr", {}, ...row.map((value, place) => {
      const { kind } = figure.columns[place];
      return element("td", { class: kind, "data-value": JSON.stringify(value) }, cellText(value, kind));
    })));
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Numbers: ${figure.title}` }, table);
}

/** Draw a figure's chart into an element. The promise ends when it is drawn. */
async function drawChart(place, figure) {
  const keys = figure.columns.map((column) => column.key);
  const values = figure.rows.map((row) => Object.fromEntries(row.map((value, at) => [keys[at], value])));
  const spec = { ...figure.chart, description: figure.title, datasets: { rows: values }, config: LOOK };
  spec.autosize = { type: "fit-x", contains: "padding" };
  const drawn = await vegaEmbed(place, spec, { renderer: "svg", actions: false });
  place.dataset.drawn = figure.rows.length;
  return drawn;
}

/** A figure as an element: its heading, its chart, and its numbers, folded away where there is a chart. */
function figureElement(figure) {
  const made = element("figure", { id: figure.name, "aria-labelledby": `${figure.name}-title` },
    element("h3", { id: `${figure.name}-title` }, figure.title), element("p", { class: "note" }, figure.note));
  if (!figure.rows.length) {
    made.append(element("p", { class: "none" }, figure.empty));
  } else if (!figure.chart) {
    made.append(tableOf(figure));
  } else {
    const chart = element("div", { class: "chart" });
    const numbers = element("details", {}, element("summary", {}, "Numbers"));
    numbers.addEventListener("toggle", () => numbers.childElementCount > 1 || numbers.append(tableOf(figure)));
    made.append(chart, numbers);
    made.draw = () => drawChart(chart, figure);
  }
  return made;
}

"use strict";

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const tables = read("tables");
const { config, charts } = read("charts");
const main = document.querySelector("main");

// New objects for every chart: Vega writes into its rows. An empty cell is left out: as null, it
// would be shown as 0.
const rows = (name) =>
  tables[name].data.map((values) =>
    Object.fromEntries(
      tables[name].columns
        .map((column, i) => [column, values[i]])
        .filter(([, value]) => value !== null),
    ),
  );

const choices = () =>
  Object.fromEntries(
    [...document.querySelectorAll("input:checked")].map((input) => [input.name, input.value]),
  );

const agrees = (wanted, chosen) =>
  Object.entries(wanted).every(([key, value]) => String(value) === chosen[key]);

const parameters = (chart) => (chart.spec.params ?? []).map((parameter) => parameter.name);

// What the chart shows is all in its first table; the second, if any, adds to it.
function isMeasured(chart, chosen) {
  const { columns, data } = tables[chart.sources[0]];
  const wanted = parameters(chart).map((key) => [columns.indexOf(key), chosen[key]]);
  return data.some((row) => wanted.every(([column, value]) => String(row[column]) === value));
}

function mark(name, chosen) {
  const measured = isMeasured(charts[name], chosen);
  document.getElementById(name).classList.toggle("missing", !measured);
  return measured;
}

function showWords(chosen) {
  for (const element of document.querySelectorAll("[data-choice]")) {
    element.hidden = !agrees(JSON.parse(element.dataset.choice), chosen);
  }
}

const views = {};

async function show(name) {
  const { spec, sources } = charts[name];
  const chosen = choices();
  if (!mark(name, chosen)) return;
  if (name in views) {
    for (const key of parameters(charts[name])) views[name].signal(key, chosen[key]);
    await views[name].runAsync();
    return;
  }
  for (const parameter of spec.params ?? []) parameter.value = chosen[parameter.name];
  spec.datasets = Object.fromEntries(sources.map((source) => [source, rows(source)]));
  const options = { actions: false, config, renderer: "svg" };
  views[name] = (await vegaEmbed(`#${name} .chart`, spec, options)).view;
}

// One chart after the other: a choice that is made meanwhile waits for its turn.
let last = Promise.resolve();

function showAll(names) {
  showWords(choices());
  main.ariaBusy = "true";
  for (const name of names) last = last.then(() => show(name));
  const mine = last;
  mine.then(() => {
    if (mine === last) main.ariaBusy = "false";
  });
}

document.addEventListener("change", ({ target }) =>
  showAll(Object.keys(charts).filter((name) => parameters(charts[name]).includes(target.name))),
);
showAll(Object.keys(charts));

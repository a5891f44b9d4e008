// SPDX-License-Identifier: GPL-3.0-or-later
//
// The section "The last hour": plots of GET /history, by Chart.js, and what
// they show last as text, in legends that hide and show lines.

/* global Chart */

import {get} from "./api.js";
import {byId, element, setText} from "./dom.js";

const FATES = {
  switched: "switched by the programs", toApps: "to Apps", toUes: "to UEs",
  held: "held", copied: "copied to tofd", dropped: "dropped"};
const N_COLORS = 13;
const HOUR = 3600;
const plots = {};               // By name: {chart, hidden}.

const color = name => getComputedStyle(document.documentElement)
  .getPropertyValue(name).trim();

const clock = seconds => new Date(seconds * 1000).toLocaleTimeString(
  [], {hour: "2-digit", minute: "2-digit"});

function optionsOf() {
  const axis = {grid: {color: color("--line")},
                ticks: {color: color("--faint"), maxRotation: 0,
                        maxTicksLimit: 7}};
  return {
    animation: false, responsive: true, maintainAspectRatio: false,
    parsing: false, normalized: true, spanGaps: false,
    elements: {point: {radius: 0}, line: {borderWidth: 2}},
    interaction: {mode: "index", intersect: false},
    plugins: {legend: {display: false}, tooltip: {callbacks: {
      title: ([item]) => clock(item.parsed.x)}}},
    scales: {x: {...axis, type: "linear",
                 ticks: {...axis.ticks, includeBounds: false, stepSize: 600,
                         callback: value => clock(value)}},
             y: {...axis, beginAtZero: true}}};
}

function getPlot(name) {
  if (!plots[name]) {
    plots[name] = {hidden: new Set(), chart: new Chart(
      byId(`plot-${name}`), {type: "line", data: {datasets: []},
                             options: optionsOf()})};
  }
  return plots[name];
}

function paint(plot) {
  plot.chart.data.datasets.forEach((set, i) => {
    set.hidden = plot.hidden.has(set.label);
    set.borderColor = color(`--series-${i % N_COLORS}`);
    set.backgroundColor = set.borderColor;
  });
  plot.chart.options.scales.x.min = plot.end - HOUR;
  plot.chart.options.scales.x.max = plot.end;
  plot.chart.update("none");
}

function legendItem(plot, label, i) {
  const item = element("li"), toggle = element("button");
  toggle.type = "button";
  toggle.className = `series-${i % N_COLORS}`;
  toggle.setAttribute("aria-pressed", "true");
  toggle.addEventListener("click", () => {
    if (!plot.hidden.delete(label)) {
      plot.hidden.add(label);
    }
    toggle.setAttribute("aria-pressed", String(!plot.hidden.has(label)));
    paint(plot);
  });
  item.label = label;
  item.append(toggle);
  return item;
}

const lastOf = points => points.length ? points.at(-1).y : null;

const formatted = value => value === null ? "none" : value.toLocaleString(
  [], {maximumFractionDigits: value < 10 ? 2 : 0});

// 'series': [label, points] each; up to 'end', in seconds since 1970.
function show(name, series, end) {
  const plot = getPlot(name), legend = byId(`legend-${name}`);
  const labels = series.map(([label]) => label);
  if ([...legend.children].map(item => item.label).join() !== labels.join()) {
    plot.hidden.clear();
    legend.replaceChildren(...labels.map(
      (label, i) => legendItem(plot, label, i)));
  }
  series.forEach(([label, points], i) => setText(
    legend.children[i].firstChild, `${label}: ${formatted(lastOf(points))}`));
  plot.chart.data.datasets = series.map(
    ([label, points]) => ({label, data: points}));
  plot.end = end;
  paint(plot);
}

// Of counts: how many a second, times 'factor'.
function rates(history, counts, factor) {
  return counts.map((count, i) => {
    const begin = i ? history.times[i - 1] : history.since;
    return {x: history.times[i],
            y: count * factor / Math.max(history.times[i] - begin, 0.1)};
  });
}

const milliseconds = (history, values) => values.map(
  (value, i) => ({x: history.times[i],
                  y: value === null ? null : value * 1000}));

function traffic(history, service) {
  return rates(history, service.bytesUp.map(
    (up, i) => up + service.bytesDown[i]), 8e-6);
}

function showServices(history, end) {
  const series = history.services.map(
    service => [service.name, traffic(history, service)]);
  const others = traffic(history, history.others);
  if (others.some(point => point.y)) {
    series.push(["others", others]);
  }
  show("services", series, end);
}

export async function showPlots() {
  const {body: history} = await get("/history");
  const end = history.times.at(-1) || Date.now() / 1000;
  setText(byId("plots-hint"), history.times.length
    ? `Since ${clock(history.since)}; a point is 10 seconds. Figures are the ` +
      "last ones; a line is hidden and shown by its name."
    : "tofd keeps it from its start on: there is nothing yet.");
  show("packets", Object.entries(FATES).map(
    ([fate, label]) => [label, rates(history, history.packets[fate], 1)]),
       end);
  show("learned", [
    ["median", milliseconds(history, history.learned.median)],
    ["99 of 100", milliseconds(history, history.learned.p99)]], end);
  showServices(history, end);
}

export function startPlots() {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const plot of Object.values(plots)) {
      plot.chart.options = optionsOf();
      paint(plot);
    }
  });
}

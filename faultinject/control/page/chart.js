// Requests and injections over time: bars, one for each step.

import { count } from "./text.js";

const STEP = 2; // seconds of a bar
const BARS = 60;
const WIDTH = 600;
const HEIGHT = 110;
const SVG = "http://www.w3.org/2000/svg";

const steps = new Map(); // number of the step: [requests, injections]
let all = null;
let hits = null;

/** Note a request that came at a moment, unix seconds. */
export function note(time, injected) {
  if (typeof time !== "number") return;
  const key = Math.floor(time / STEP);
  const step = steps.get(key) ?? [0, 0];
  step[0] += 1;
  if (injected) step[1] += 1;
  steps.set(key, step);
}

/** One of them turned out to be injected, or not. */
export function correct(time, by) {
  const step = steps.get(Math.floor(time / STEP));
  if (step) step[1] += by;
}

function draw(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

function begin(svg) {
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  for (const share of [0, 0.5, 1]) {
    const y = HEIGHT - 1 - share * (HEIGHT - 20);
    draw("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y, "vector-effect": "non-scaling-stroke" }, svg);
  }
  all = draw("path", { class: "all" }, svg);
  hits = draw("path", { class: "hit" }, svg);
}

const bar = (index, height, inset) => `M${index * (WIDTH / BARS) + inset} ${HEIGHT - 1}v${-height}h${WIDTH / BARS - 2 * inset}v${height}z`;

/** Draw the last two minutes up to a moment, unix seconds; returns a sentence that says the same. */
export function show(svg, now) {
  if (!all) begin(svg);
  const last = Math.floor(now / STEP);
  for (const key of steps.keys()) if (key < last - BARS * 2) steps.delete(key);
  const found = Array.from({ length: BARS }, (_, index) => steps.get(last - BARS + 1 + index) ?? [0, 0]);
  const most = Math.max(...found.map(([requests]) => requests));
  const top = nice(most / STEP);
  const scale = (HEIGHT - 20) / (top * STEP);
  const path = (which, inset) => found.map((step, index) => (step[which] ? bar(index, Math.max(2, step[which] * scale), inset) : "")).join("");
  all.setAttribute("d", path(0, 1));
  hits.setAttribute("d", path(1, 3)); // narrower, so that it takes no colours to tell the two apart
  const sum = (which) => found.reduce((total, step) => total + step[which], 0);
  const words = most
    ? `Last 2 minutes: ${count(sum(0))} requests, ${count(sum(1))} injections. The upper line is ${count(top)} a second.`
    : "No request in the last 2 minutes.";
  if (svg.getAttribute("aria-label") !== words) svg.setAttribute("aria-label", words);
  return words;
}

/** The smallest of 1, 2, 5, 10 and so on that is not below. */
function nice(value) {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= value);
}

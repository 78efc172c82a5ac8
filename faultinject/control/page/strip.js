// The live strip: one row for each request, coloured by what came of it.

import { call } from "./api.js";
import * as chart from "./chart.js";
import { make, many, mark, say, shown, timeOfDay, took, visible } from "./text.js";

const $ = (id) => document.getElementById(id);
const KEPT = 400; // outcomes in memory
const DRAWN = 120; // rows

/** What `did` says in words; all that is not here is a fault under its own name. */
export const DID = {
  passed: "passed",
  app_failed: "the app failed",
  nothing_to_cut: "nothing to cut",
  refused: "refused",
  failed: "undecided",
  app_cut: "answered, app cut off",
  drain_cut: "answered, upload cut",
};

/** hit: a fault was given. pass: the app answered. bad: a fault was due, and could not be given. */
export function kindOf(outcome) {
  if (outcome.did === "passed") return "pass";
  return ["app_failed", "nothing_to_cut", "refused", "failed"].includes(outcome.did) ? "bad" : "hit";
}

const outcomes = []; // newest first
const byKey = new Map();
const rows = new Map();
let cursor = "";
let lost = 0;
let paused = false;
let waiting = 0;
let seen = false;
let open = () => {};

/** `opened(outcome)` is called when a row is opened. */
export function wire(opened) {
  open = opened;
  const list = $("strip");
  list.addEventListener("keydown", move);
  $("pause").addEventListener("click", () => {
    paused = !paused;
    mark($("pause"), "aria-pressed", paused);
    say($("pause"), paused ? "Go on" : "Pause");
    waiting = 0;
    draw();
  });
  $("strip-show").addEventListener("change", draw);
  $("strip-find").addEventListener("input", draw);
}

function take(outcome) {
  const key = `${outcome.pid}/${outcome.seq}/${outcome.time}`;
  const kind = kindOf(outcome);
  const known = byKey.get(key);
  if (known) {
    // The end of a request that had a line already.
    chart.correct(outcome.time, Number(kind === "hit") - Number(kindOf(known.outcome) === "hit"));
    known.outcome = outcome;
    known.stale = true;
  } else {
    const fresh = { key, outcome, stale: false };
    byKey.set(key, fresh);
    outcomes.unshift(fresh);
    chart.note(outcome.time, kind === "hit");
    if (paused) waiting += 1;
    while (outcomes.length > KEPT) byKey.delete(outcomes.pop().key);
  }
  seen = true;
}

function wanted(outcome) {
  const kind = $("strip-show").value;
  if (kind && kindOf(outcome) !== kind) return false;
  const words = $("strip-find").value.trim().toLowerCase();
  if (!words) return true;
  return [outcome.method, outcome.path, outcome.query, outcome.rule, outcome.fault, outcome.did, outcome.status, outcome.operation]
    .join(" ").toLowerCase().includes(words);
}

function draw() {
  const list = $("strip");
  const found = outcomes.filter((each) => wanted(each.outcome)).slice(0, DRAWN);
  const keep = new Set(found.map((each) => each.key));
  const focused = document.activeElement?.closest?.("#strip li")?.dataset.key;
  for (const [key, element] of rows) {
    if (keep.has(key) || key === focused) continue; // a row with the focus stays, though it is old
    element.remove();
    rows.delete(key);
  }
  let before = list.firstElementChild;
  for (const each of found) {
    let element = rows.get(each.key);
    if (!element) {
      rows.set(each.key, (element = make("li", { "data-key": each.key }, make("button", { type: "button", tabindex: "-1" }))));
      element.firstElementChild.addEventListener("click", () => open(each.outcome));
      fill(element, each.outcome);
    } else if (each.stale) fill(element, each.outcome);
    each.stale = false;
    if (element === before) before = before.nextElementSibling;
    else list.insertBefore(element, before);
  }
  if (!list.querySelector("button[tabindex='0']")) list.querySelector("button")?.setAttribute("tabindex", "0");
  list.hidden = list.children.length === 0;
  $("strip-empty").hidden = !list.hidden;
  say($("strip-empty"), seen ? "No request of this kind." : "No request has come yet. Requests that meet a rule's conditions appear here.");
  say($("strip-said"), lost ? `${many(lost, "request")} went by too fast to be kept.` : "");
}

function fill(element, outcome) {
  const kind = kindOf(outcome);
  const target = `${outcome.path}${outcome.query ? `?${outcome.query}` : ""}`;
  const what = kind === "hit" ? outcome.fault ?? outcome.did : DID[outcome.did] ?? outcome.did;
  element.className = kind;
  element.firstElementChild.replaceChildren(
    make("span", { class: "time" }, timeOfDay(outcome.time, { fine: true })),
    make("span", { class: "method" }, ...shown(outcome.method)),
    make("span", { class: "target" }, ...shown(target)),
    make("span", { class: "what" }, make("span", { class: "sign", "aria-hidden": "true" }), ...shown(what)),
    make("span", { class: "status" }, outcome.status === null || outcome.status === undefined ? "" : visible(outcome.status)),
    make("span", { class: "rule-name" }, ...shown(outcome.rule ?? "")),
    make("span", { class: "took" }, took(outcome.elapsed)),
  );
}

function move(event) {
  const buttons = [...$("strip").querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1, PageDown: at + 10, PageUp: at - 10 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  const next = buttons[Math.max(0, Math.min(buttons.length - 1, to))];
  for (const each of buttons) each.setAttribute("tabindex", each === next ? "0" : "-1");
  next.focus();
}

/** Focus the row of an outcome again, or the first there is. */
export function focusRow(outcome) {
  const element = rows.get(`${outcome.pid}/${outcome.seq}/${outcome.time}`) ?? $("strip").firstElementChild;
  element?.firstElementChild.focus();
}

const PAGE = 500;

/** Take the requests that have come since the last call, up to 20,000. Raises ApiError. */
export async function catchUp() {
  for (let pages = 0; pages < 40; pages += 1) {
    let found;
    try {
      found = await call("GET", `journal?after=${encodeURIComponent(cursor)}&limit=${PAGE}`);
    } catch (error) {
      if (error.status === 400) cursor = ""; // of a journal that is gone
      throw error;
    }
    for (const each of found.outcomes) take(each);
    lost += found.dropped;
    cursor = found.cursor;
    if (found.outcomes.length < PAGE) break;
  }
  if (!paused) draw();
  else say($("strip-said"), `${many(waiting, "request")} came since the pause.`);
}

// One request: what the journal says of it.

import { DID, focusRow, kindOf } from "./strip.js";
import { code, make, shown, timeOfDay, took } from "./text.js";

const $ = (id) => document.getElementById(id);

let current = null;

export function wire() {
  $("detail-close").addEventListener("click", () => $("detail").close());
  $("detail").addEventListener("close", () => current && focusRow(current));
}

/** Open the dialog for an outcome. */
export function open(outcome) {
  current = outcome;
  const target = `${outcome.path}${outcome.query ? `?${outcome.query}` : ""}`;
  $("detail-title").replaceChildren(...shown(`${outcome.method} ${target}`));
  $("detail-body").replaceChildren(
    make("p", { class: `came ${kindOf(outcome)}` }, make("span", { class: "sign", "aria-hidden": "true" }), ...shown(story(outcome))),
    make("h3", {}, "What the journal says"),
    table(outcome),
  );
  if (!$("detail").open) $("detail").showModal();
  $("detail-close").focus();
}

const DONE = {
  answered: (fault) => `answered with ${fault}`,
  delayed: () => "let the app answer late",
  stalled: () => "held the exchange up",
  truncated: () => "cut the answer",
  dripped: () => "slowed the answer down",
  corrupted: () => "changed bytes of the answer",
  edited: () => "changed headers of the answer, or its range",
  overwritten: () => "had another writer replace the object first",
  stale: () => "had the store answer with the state before the last change",
  reset: () => "reset the connection",
  closed: () => "closed the connection",
  raised: () => "raised an error in the test client",
  app_cut: (fault) => `answered with ${fault}, and told the app that its client had left`,
  drain_cut: (fault) => `answered with ${fault} before all of the upload was read`,
};

function story(outcome) {
  const rule = outcome.rule ? `Rule ${outcome.rule}` : "No rule";
  const after = typeof outcome.elapsed === "number" ? ` after ${took(outcome.elapsed)}` : "";
  if (outcome.did === "passed") {
    if (!outcome.rule) return `The app answered${after}.`;
    return `${outcome.matched ? `Rules ${outcome.matched.join(", ")}` : rule} matched and did not fire: the app answered${after}.`;
  }
  if (kindOf(outcome) === "bad") return `${rule} was to give ${outcome.fault ?? "a fault"}, and did not: ${DID[outcome.did] ?? outcome.did}.`;
  const fault = `${outcome.fault}${outcome.status ? ` (${outcome.status})` : ""}`;
  const did = DONE[outcome.did]?.(fault) ?? `gave ${fault}`;
  return `${rule} ${did}${after}. ${outcome.applied ? "The app ran." : "The app did not see the request."}`;
}

const TIMES = new Set(["time"]);

function table(outcome) {
  const rows = Object.entries(outcome)
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => {
      const text = TIMES.has(name) ? `${timeOfDay(value, { fine: true })} (${value})` : typeof value === "object" ? JSON.stringify(value) : String(value);
      return make("div", {}, make("dt", {}, ...shown(name)), make("dd", {}, code(text)));
    });
  return make("dl", { class: "fields" }, ...rows);
}

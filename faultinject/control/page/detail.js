// One request: what the journal says of it, and the bytes that its rule sends.

import { call } from "./api.js";
import { answer, holds } from "./bytes.js";
import { clear, tell } from "./problems.js";
import { DID, focusRow, kindOf } from "./strip.js";
import { code, count, make, many, shown, timeOfDay, took } from "./text.js";

const $ = (id) => document.getElementById(id);

let latest = () => null;
let tokenGone = () => {};
let current = null;

/** `state()` gives the newest state; `failed(error)` is told of a token that is wrong. */
export function wire({ state, failed }) {
  latest = state;
  tokenGone = failed;
  $("detail-close").addEventListener("click", () => $("detail").close());
  $("detail").addEventListener("close", () => current && focusRow(current));
}

/** Open the dialog for an outcome. */
export async function open(outcome) {
  current = outcome;
  const target = `${outcome.path}${outcome.query ? `?${outcome.query}` : ""}`;
  $("detail-title").replaceChildren(...shown(`${outcome.method} ${target}`));
  const bytes = make("div", { class: "bytes-box" }, make("p", { class: "empty" }, "Loading…"));
  $("detail-body").replaceChildren(
    make("p", { class: `came ${kindOf(outcome)}` }, make("span", { class: "sign", "aria-hidden": "true" }), ...shown(story(outcome))),
    make("h3", {}, "The bytes"),
    bytes,
    make("h3", {}, "What the journal says"),
    table(outcome),
  );
  if (!$("detail").open) $("detail").showModal();
  $("detail-close").focus();
  await showBytes(outcome, bytes);
}

const DONE = {
  delayed: () => "let the app answer late",
  stalled: () => "held the exchange up",
  truncated: () => "cut the answer",
  dripped: () => "slowed the answer down",
  corrupted: () => "changed bytes of the answer",
  reset: () => "reset the connection",
  closed: () => "closed the connection",
  raised: () => "raised an error in the test client",
  app_cut: (fault) => `answered with ${fault}, and told the app that its client had left`,
  drain_cut: (fault) => `answered with ${fault} before all of the upload was read`,
};

function story(outcome) {
  const rule = outcome.rule ? `Rule ${outcome.rule}` : "No rule";
  const after = typeof outcome.elapsed === "number" ? ` after ${took(outcome.elapsed)}` : "";
  if (outcome.did === "passed") return outcome.rule ? `${rule} matched and did not fire: the app answered${after}.` : `The app answered${after}.`;
  if (kindOf(outcome) === "bad") return `${rule} was to give ${outcome.fault ?? "a fault"}, and did not: ${DID[outcome.did] ?? outcome.did}.`;
  const fault = `${outcome.fault}${outcome.status ? ` (${outcome.status})` : ""}`;
  const did = DONE[outcome.did]?.(fault) ?? `answered with ${fault}`;
  return `${rule} ${did}${after}. ${outcome.applied ? "The app ran." : "The app did not see the request."}`;
}

async function showBytes(outcome, box) {
  const put = (...nodes) => box.replaceChildren(...nodes.map((each) => (typeof each === "string" ? make("p", {}, ...shown(each)) : each)));
  if (kindOf(outcome) !== "hit") {
    put("The app's own answer went to the client, untouched. faultinject does not keep it.");
    return;
  }
  const rule = latest()?.rules?.find((each) => each.name === outcome.rule);
  if (!rule) {
    put(`Rule ${outcome.rule} is no longer in force, so its bytes cannot be made again. The fields below say what was sent.`);
    return;
  }
  const notes = [];
  try {
    // A group draws one of its errors; the journal names the one that was drawn.
    const whole = { ...rule.rule, name: rule.name };
    if (outcome.fault && whole.of && outcome.fault !== whole.fault && outcome.fault.includes(":")) whole.of = outcome.fault;
    else if (outcome.fault?.includes(":")) whole.fault = outcome.fault;
    const target = `${outcome.path}${outcome.query ? `?${outcome.query}` : ""}`;
    const preview = await call("POST", "preview", { rule: whole, method: outcome.method, path: target, host: outcome.host });
    if (current !== outcome) return;
    const state = latest();
    if (outcome.generation !== undefined && state && outcome.generation !== state.generation) {
      notes.push(`The rules are now another generation (${state.generation}) than at this request (${outcome.generation}): rule ${rule.name} may have changed since.`);
    }
    if (preview.raw && outcome.request_id) {
      notes.push(holds(preview, outcome.request_id)
        ? `The request id is the one that was sent, ${outcome.request_id}.`
        : `The request id differs: ${outcome.request_id} was sent. An id holds the time and the number of its request.`);
    }
    if (preview.raw && typeof outcome.status === "number" && typeof preview.status === "number" && outcome.status !== preview.status) {
      notes.push(`The status differs: ${outcome.status} was sent.`);
    }
    if (typeof outcome.response_bytes === "number" && preview.raw) {
      const body = atob(preview.body || "").length;
      if (body !== outcome.response_bytes) notes.push(`The length differs: ${many(outcome.response_bytes, "byte")} of a body were sent, here ${count(body)}.`);
    }
    if ((outcome.query ?? "").includes("…")) notes.push("The journal hides the values of signatures and tokens: they are … here.");
    put(
      make("p", { class: "quiet" }, preview.raw ? "The journal keeps no bytes. These are made again from the rule, the request and the seed." : ""),
      answer(preview, { label: "The bytes that were sent" }),
      ...notes.map((each) => make("p", { class: "note" }, ...shown(each))),
    );
  } catch (error) {
    if (!error.kind) throw error;
    if (error.kind === "token") tokenGone(error);
    const wrong = make("div", { class: "notice bad" });
    clear(wrong);
    put(tell(wrong, error));
  }
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

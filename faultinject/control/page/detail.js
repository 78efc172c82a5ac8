// One request: what the journal says of it, and the bytes that its rule sends.

import { ApiError, call } from "./api.js";
import { answer } from "./bytes.js";
import { tell } from "./problems.js";
import { DID, focusRow, kindOf } from "./strip.js";
import { code, make, shown, timeOfDay, took } from "./text.js";

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
  edited: () => "changed headers of the answer, or its range",
  overwritten: () => "had another writer replace the object first",
  stale: () => "had the store answer as before the last change",
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
  let sent;
  try {
    sent = await call("POST", "journal/sent", { outcome });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.kind === "token") tokenGone(error);
    if (current !== outcome) return;
    if (error.status === 404) put(`Rule ${outcome.rule} is no longer in force, so its bytes cannot be rendered again. The fields below say what was sent.`);
    else put(tell(make("div", { class: "notice bad" }), error));
    return;
  }
  if (current !== outcome) return;
  if (!sent.raw) {
    put(answer(sent));
    return;
  }
  put(
    make("p", { class: sent.differs.length ? "note" : "quiet" }, ...shown(howSure(outcome, sent))),
    answer(sent, { label: "The bytes that were sent" }),
    make("p", { class: "quiet" }, "The server may have added headers of its own, such as Date and Server."),
  );
}

const FIELDS = { fault: "fault", status: "status", response_bytes: "length of the body", request_id: "request id" };

/** The journal keeps no bytes: whether what was made again agrees with what it does keep. */
function howSure(outcome, sent) {
  const made = "Rendered again from the rule, the request and the seed";
  if (!sent.differs.length) return `${made}. Status, length and ids agree with the journal.`;
  const differs = sent.differs.map((each) => `${FIELDS[each]} (${outcome[each] ?? "none"} in the journal)`).join(", ");
  const changed = outcome.generation !== latest()?.generation ? " The rules have changed since that request." : "";
  const hidden = (outcome.query ?? "").includes("…") ? " The journal hides the values of signatures and tokens, on which the draw may depend." : "";
  return `${made}. Not the same as what was sent: ${differs}.${changed}${hidden}`;
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

// Whether faults are on, for how long, what stands in their way, and what was counted.

import { serverNow } from "./api.js";
import { clock, count, day, inWords, make, many, mark, say, shown, timeOfDay } from "./text.js";

const $ = (id) => document.getElementById(id);

/** Wire the switch and the timed switch; `change(method, path, body, options)` does it. */
export function wire(change) {
  $("switch").addEventListener("click", () => {
    const on = $("switch").getAttribute("aria-checked") === "true";
    // Off is never refused because somebody else was faster: it is what one presses in a hurry.
    if (on) change("POST", "off", {}, { said: "Faults are off.", anyGeneration: true });
    else change("POST", "on", {}, { said: "Faults are on." });
  });
  const field = $("timed-for");
  const word = () => say($("timed-go"), field.value.trim() ? `On for ${inWords(field.value)}` : "On for …");
  field.addEventListener("input", () => {
    word();
    mark(field, "aria-invalid", null);
  });
  $("timed").addEventListener("submit", async (event) => {
    event.preventDefault();
    const time = field.value.trim();
    if (!time) {
      field.focus();
      return;
    }
    const done = await change("POST", "on", { for: time }, { said: `Faults are on for ${inWords(time)}.` });
    mark(field, "aria-invalid", done ? null : "true");
  });
  word();
}

/** Show a state. */
export function show(state) {
  const on = state.on === true;
  $("switch").disabled = $("timed-go").disabled = false;
  mark($("switch"), "aria-checked", on);
  say($("switch-text"), on ? "on" : "off");
  mark($("power"), "data-on", state.disarmed ? "disarmed" : String(acts(state)));
  say($("power-now"), headline(state));
  const place = [location.host, state.store].filter(Boolean).join(" · ");
  say($("place"), place);
  document.title = `${acts(state) ? "● on" : "○ off"} · faultinject · ${location.host}`;
  tick(state);
  notices(state);
  totals(state);
}

/** Whether a request could get a fault now. */
function acts(state) {
  return state.on === true && state.enabled !== false && !state.disarmed && !stopped(state);
}

/** Why nothing is injected though it is switched on; empty where nothing stands in the way. */
function stopped(state) {
  if (typeof state.until === "number" && state.until <= serverNow()) return "The time is over.";
  if (expiry(state) !== null && expiry(state) <= serverNow()) return "FAULTINJECT_EXPIRES has passed.";
  return "";
}

function headline(state) {
  if (state.disarmed) return "Faults are off: abort has ended them";
  if (state.on !== true) return "Faults are off";
  if (!acts(state)) return "Faults are switched on, but none is injected";
  const rules = (state.rules ?? []).filter((each) => each.enabled !== false).length;
  return rules ? "Faults are on" : "Faults are on, but there is no rule to follow";
}

/** The moment of FAULTINJECT_EXPIRES in unix seconds, or null. */
function expiry(state) {
  if (typeof state.expires === "number") return state.expires;
  const date = Date.parse(state.expires ?? "");
  return Number.isNaN(date) ? null : date / 1000;
}

/** What changes with the time alone. */
export function tick(state) {
  const ends = [state.until, acts(state) ? expiry(state) : null].filter((each) => state.on === true && typeof each === "number");
  const parts = [];
  if (ends.length) {
    const end = Math.min(...ends);
    const left = end - serverNow();
    parts.push(left > 0 ? `They switch off by themselves in ${clock(left)}, at ${timeOfDay(end)}.` : "The time is over.");
  } else if (acts(state)) parts.push("They stay on until somebody switches them off.");
  else if (state.on !== true && !state.disarmed) {
    if (typeof state.until === "number" && state.until <= serverNow()) parts.push(`They switched off by themselves at ${timeOfDay(state.until)}.`);
    parts.push("Every request goes to the app untouched.");
  }
  say($("power-left"), parts.join(" "));
}

function notices(state) {
  const found = [];
  const warn = (kind, ...words) => found.push([kind, words.join("")]);
  if (state.disarmed) {
    warn("bad", `Faults ended because of abort: ${state.disarmed} They stay off until you switch them on again.`);
  }
  if (state.production) {
    warn("bad", `${state.production} looks like production, so faults cannot be switched on here. FAULTINJECT_PRODUCTION=allow with FAULTINJECT_EXPIRES would allow it.`);
  }
  if (state.elsewhere) warn("bad", `${state.elsewhere}, so they cannot be switched on.`);
  const end = expiry(state);
  if (end !== null) {
    const moment = `${day(end)} at ${timeOfDay(end)}`;
    if (end <= serverNow()) warn("warn", `FAULTINJECT_EXPIRES passed on ${moment}: nothing is injected any more.`);
    else warn("note", `FAULTINJECT_EXPIRES ends all faults on ${moment}.`);
  }
  if (state.undecided) {
    warn("warn", `${many(state.undecided, "request")} passed undecided ${counted(state)}: the store or faultinject failed, so nobody could tell which fault was due.`);
  }
  if (state.failures) warn("warn", `faultinject itself failed ${state.failures === 1 ? "once" : `${count(state.failures)} times`} ${counted(state)}. The server's log says why.`);
  if (state.refused) {
    warn("warn", `${many(state.refused, "fault")} left out ${counted(state)}: at most ${count(state.max_active)} may be under way in a process at a time (FAULTINJECT_MAX_ACTIVE).`);
  }
  const key = JSON.stringify(found);
  if ($("notices").dataset.key === key) return; // read aloud once, not each second
  $("notices").dataset.key = key;
  $("notices").replaceChildren(...found.map(([kind, words]) => make("p", { class: `notice ${kind}` }, ...shown(words))));
}

let told = { at: 0, injected: null };

/** Say for those who do not see the numbers how they rise, and not more often than one can listen to. */
function tellInjected(number) {
  if (typeof number !== "number" || performance.now() < told.at + 15000 || told.injected === number) return;
  if (told.injected !== null) say($("totals-said"), many(number, "injection"));
  told = { at: performance.now(), injected: number };
}

const TOTALS = [
  ["matched", "requests that matched a rule"],
  ["injected", "injections"],
];

/** Whose counts these are. */
const counted = (state) => (state.shared ? "in all processes" : "in the process that answers");

function totals(state) {
  tellInjected(state.totals?.injected);
  const rows = TOTALS.filter(([key]) => typeof state.totals?.[key] === "number").map(([key, words]) => [`${words}, ${counted(state)}`, count(state.totals[key])]);
  if (typeof state.active === "number") {
    rows.push(["faults under way in the process that answers (FAULTINJECT_MAX_ACTIVE)", typeof state.max_active === "number" ? `${count(state.active)} of ${count(state.max_active)}` : count(state.active)]);
  }
  if (state.seed !== undefined && state.seed !== null) rows.push(["seed", String(state.seed)]);
  const list = $("totals");
  while (list.children.length > rows.length) list.lastElementChild.remove();
  rows.forEach(([words, value], index) => {
    if (!list.children[index]) list.append(make("div", {}, make("dt"), make("dd")));
    say(list.children[index].children[0], words);
    say(list.children[index].children[1], value);
  });
}

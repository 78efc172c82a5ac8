// The page: keeps in step with the server, makes changes, and hands each part what is new.

import { ApiError, backoff, call, noteClock, serverNow } from "./api.js";
import * as changes from "./changes.js";
import * as chart from "./chart.js";
import * as detail from "./detail.js";
import * as editor from "./editor.js";
import { asked, refused, wire as wireLogin } from "./login.js";
import * as power from "./power.js";
import { clear, tell } from "./problems.js";
import * as rules from "./rules.js";
import * as strip from "./strip.js";
import { say, timeOfDay } from "./text.js";

const $ = (id) => document.getElementById(id);

let state = null;
let heard = 0; // when the newest state came, by this machine's clock
let changing = 0; // changes of ours that are under way
const sleepers = new Set();

/** Wait, or until somebody wakes us. */
function pause(seconds) {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      sleepers.delete(end);
      done();
    };
    const timer = setTimeout(end, seconds * 1000);
    sleepers.add(end);
  });
}

function wake() {
  for (const each of [...sleepers]) each();
}

// The state

function take(found, { mine = false } = {}) {
  if (state && !mine && found.generation < state.generation && heard > performance.now() - 2000) return; // overtaken on the way
  const news = state && !mine && !changing ? changedElsewhere(state, found) : "";
  state = found;
  heard = performance.now();
  noteClock(found.now);
  power.show(state);
  rules.show(state);
  changes.show(state);
  $("main").setAttribute("aria-busy", "false");
  if (news) done(news);
}

/** What is new, and not by this page; empty where nothing is, or where a warning says it. */
function changedElsewhere(before, now) {
  if (now.disarmed && !before.disarmed) return "";
  if (now.on !== before.on) {
    if (now.on) return "Faults were switched on elsewhere.";
    return now.until !== null && now.until <= now.now ? "The time is over: faults are off." : "Faults were switched off elsewhere.";
  }
  if (now.generation === before.generation) return "";
  return now.until === before.until ? "The rules were changed elsewhere." : "Somebody else has changed when faults switch off.";
}

function connection(words, kind) {
  say($("link"), words);
  $("link").dataset.kind = kind;
  $("retry").hidden = kind !== "away";
  document.body.dataset.link = kind;
}

async function keepUp() {
  let failures = 0;
  for (;;) {
    await asked();
    const began = performance.now();
    try {
      take(await call("GET", "state"));
      await strip.catchUp();
      failures = 0;
      connection("connected", "live");
      // A state of thousands of rules is asked for less often.
      await pause(Math.max(document.hidden ? 5 : 1, (performance.now() - began) / 100));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind === "token") {
        refused(error);
        continue;
      }
      failures += 1;
      const seconds = backoff(failures);
      const old = state ? ` What you see is from ${timeOfDay(serverNow() - (performance.now() - heard) / 1000)}.` : "";
      connection(`${error.message}${old} The page tries again in ${seconds} s.`, "away");
      await pause(seconds);
    }
  }
}

// Changes

let hush = 0;

function done(words) {
  say($("said"), words);
  $("said").hidden = false;
  clearTimeout(hush);
  hush = setTimeout(() => ($("said").hidden = true), 6000);
}

function failed(error) {
  if (error.kind === "token") {
    refused(error);
    return;
  }
  tell($("wrong"), error.kind === "away" ? { message: `${error.message} Whether the change was made is not known: the page shows it when the server is back.` } : error);
  $("wrong").scrollIntoView({ block: "nearest" });
}

/** Make one change; returns whether it was made. `refused(error)` is told instead of the top of the page. */
async function change(method, path, body, { said, match = state?.generation, anyGeneration = false, refused: told = failed } = {}) {
  clear($("wrong"));
  changing += 1;
  try {
    const found = await call(method, path, body, { match: anyGeneration ? undefined : match });
    take(found?.rules ? found : await call("GET", "state"), { mine: true });
    done(said);
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.kind === "conflict") {
      try {
        take(await call("GET", "state"), { mine: true });
      } catch (again) {
        failed(again);
        return false;
      }
      const words = "Somebody else has changed the rules or the switch in the meantime. Your change was not made. The page shows the current state: check it, and press again.";
      failed(new ApiError("conflict", words));
    } else if (error.kind === "refused") told(error);
    else failed(error);
    return false;
  } finally {
    changing -= 1;
  }
}

// All parts

wireLogin(take);
power.wire(change);
rules.wire({ change, edit: (rule) => editor.open(rule) });
editor.wire({ change, state: () => state, failed });
detail.wire();
strip.wire((outcome) => detail.open(outcome));
$("reset").addEventListener("click", () => change("POST", "reset", {}, { said: "All counts are zero." }));
$("retry").addEventListener("click", () => wake());
addEventListener("online", () => wake());
document.addEventListener("visibilitychange", () => document.hidden || wake());

function tick() {
  if (state) power.tick(state);
  say($("chart-note"), chart.show($("chart"), serverNow()));
}

setInterval(tick, 1000);
tick();
connection("waiting for the token", "waiting");
keepUp();

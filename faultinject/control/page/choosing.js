// What one chooses in the form instead of typing it: a fault of a vendor, and that only this browser gets it.

import { call } from "./api.js";
import { make, say } from "./text.js";

const $ = (id) => document.getElementById(id);

const OTHERS = [
  ["http:503", "a plain 503"],
  ["latency,delay=2s", "the app's answer, two seconds late"],
  ["stall,duration=30s", "nothing for 30 seconds, then the app's answer"],
  ["hang,duration=30s", "nothing for 30 seconds, then the end of the connection"],
  ["reset", "the connection is reset"],
  ["close", "the connection is closed without an answer"],
  ["truncate", "the app's answer, cut in the middle"],
  ["drip,rate=10KB", "the app's answer, at 10 KB a second"],
];
const NAME = "faultinject";

let chosen = ""; // what stands at the beginning of the rule because it was chosen
let changed = () => {};

/** `typed()` is called when a choice has changed the rule's text. */
export function wire(typed) {
  changed = typed;
  say($("mine-host"), location.hostname);
  $("vendor").addEventListener("change", typed);
  $("fault").addEventListener("change", choose);
  $("mine").addEventListener("change", () => {
    const text = $("rule-text").value.trim().replace(`,${condition()}`, "");
    if ($("mine").checked) document.cookie = `${NAME}=${mark()}; path=/; samesite=lax`;
    put($("mine").checked ? `${text},${condition()}` : text);
  });
}

/** Show what can be chosen for the text as it is now. Raises ApiError. */
export async function show() {
  $("mine").checked = $("rule-text").value.includes(condition());
  if ($("vendor").options.length === 1) {
    const { vendors } = await call("GET", "vendors");
    if ($("vendor").options.length === 1) $("vendor").append(...vendors.map((each) => make("option", { value: each.id }, `${each.title} (${each.id})`)));
  }
  const vendor = $("vendor").value;
  if ($("fault").dataset.vendor === vendor) return;
  const faults = vendor
    ? (await call("GET", `vendors?vendor=${encodeURIComponent(vendor)}`)).errors.map((each) => [each.fault, `${each.status ?? "–"}  ${each.message}`])
    : OTHERS;
  if (vendor !== $("vendor").value) return; // another one was chosen meanwhile
  $("fault").dataset.vendor = vendor;
  $("fault").replaceChildren(make("option", { value: "" }, "choose one"), ...faults.map(([fault, words]) => make("option", { value: fault }, `${fault.replace(`${vendor}:`, "")}  ${words}`)));
}

function choose() {
  if (!$("fault").value) return;
  const text = $("rule-text").value.trim();
  const rest = chosen && text.startsWith(chosen) ? text.slice(chosen.length) : text.replace(/^[^,]*/, "");
  chosen = $("fault").value;
  put(chosen + rest);
}

function put(text) {
  $("rule-text").value = text;
  changed();
}

const condition = () => `header.cookie=*${NAME}=${mark()}*`;

let own = "";

/** The value of this browser's cookie; nobody else's, and no secret. */
function mark() {
  own ||= new RegExp(`(?:^|; )${NAME}=([0-9a-f]{16})`).exec(document.cookie)?.[1] ?? "";
  own ||= Array.from(crypto.getRandomValues(new Uint8Array(8)), (each) => each.toString(16).padStart(2, "0")).join("");
  return own;
}

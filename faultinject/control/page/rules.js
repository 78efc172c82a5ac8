// The rules with their counts, and what can be done to one.

import { arrange, count, make, many, mark, ruleCode, say, shown } from "./text.js";

const $ = (id) => document.getElementById(id);
const MOST = 200; // rows that are drawn; the others are found by typing

const rows = new Map();
let latest = null;
let handlers = {};
let asked = null; // the rule that the dialog is about to delete

/** `given`: change(method, path, body, options), edit(rule). */
export function wire(given) {
  handlers = given;
  for (const answer of ["yes", "no"]) $(`sure-${answer}`).addEventListener("click", () => $("sure").close(answer));
  $("sure").addEventListener("close", answered);
  $("rules-filter").addEventListener("input", () => latest && show(latest));
}

/** Show the rules of a state. Elements stay the same, so that the focus does. */
export function show(state) {
  latest = state;
  const rules = state.rules ?? [];
  const wanted = $("rules-filter").value.trim().toLowerCase();
  const found = wanted ? rules.filter((each) => `${each.name} ${each.text}`.toLowerCase().includes(wanted)) : rules;
  const drawn = found.slice(0, MOST);
  say($("rules-count"), rules.length ? `(${count(rules.length)})` : "");
  $("rules-find").hidden = rules.length <= 12 && !wanted;
  $("rules-empty").hidden = drawn.length > 0;
  say($("rules-empty"), rules.length ? "No rule has this text." : "There is no rule yet. Without one, every request goes to the app.");
  $("rules-more").hidden = found.length <= MOST;
  say($("rules-more"), `${many(found.length - MOST, "more rule")}: type a part of the text to find them.`);
  $("rules").hidden = drawn.length === 0;
  const byName = new Map(drawn.map((each) => [each.name, each]));
  arrange($("rules"), [...byName.keys()], rows, row);
  for (const rule of drawn) fill(rows.get(rule.name), rule);
  $("add").disabled = $("reset").disabled = false;
}

function row(name) {
  const id = `rule-row-${name}`;
  const rule = () => (latest.rules ?? []).find((each) => each.name === name);
  const toggle = make("button", { type: "button", role: "switch", class: "small", "aria-labelledby": `${id}-name` }, make("span", { class: "knob" }));
  toggle.addEventListener("click", () => {
    const enabled = toggle.getAttribute("aria-checked") === "true";
    handlers.change("POST", `rules/${encodeURIComponent(name)}/${enabled ? "disable" : "enable"}`, {}, {
      said: `Rule ${name} is ${enabled ? "disabled" : "enabled"}.`,
    });
  });
  const edit = make("button", { type: "button", "aria-label": `Edit ${name}` }, "Edit");
  edit.addEventListener("click", () => rule() && handlers.edit(rule()));
  const remove = make("button", { type: "button", "aria-label": `Delete ${name}` }, "Delete");
  remove.addEventListener("click", () => rule() && askToRemove(rule(), remove));
  return make(
    "li",
    { class: "rule", "data-rule": name },
    toggle,
    make("div", { class: "rule-words" }, make("strong", { id: `${id}-name` }, ...shown(name)), " ", make("span", { class: "state" }), make("div", { class: "rule-text" })),
    make("dl", { class: "rule-counts" }, ...["matched", "injected", "failed"].map((word) => make("div", { class: word }, make("dt", {}, word), make("dd", {}, "–")))),
    make("div", { class: "rule-buttons" }, edit, remove),
  );
}

function fill(element, rule) {
  const enabled = rule.enabled !== false;
  const [toggle, words, counts] = element.children;
  mark(toggle, "aria-checked", enabled);
  mark(element, "data-enabled", enabled);
  const [, state, text] = words.children;
  say(state, enabled ? (rule.spent ? "used up" : "") : "disabled");
  if (text.dataset.text !== rule.text) {
    text.dataset.text = rule.text;
    text.replaceChildren(ruleCode(rule.text));
  }
  for (const each of counts.children) {
    const word = each.className;
    const value = rule[word];
    each.hidden = word === "failed" && !value;
    say(each.children[1], count(value));
  }
}

function askToRemove(rule, opener) {
  asked = { rule, opener, match: latest.generation }; // a name by position may be another rule's by the time of the answer
  say($("sure-title"), `Delete rule ${rule.name}?`);
  $("sure-text").replaceChildren(ruleCode(rule.text), make("br"), "Its counts are lost. The counts of the others go on.");
  $("sure").returnValue = "";
  $("sure").showModal();
  $("sure-no").focus();
}

async function answered() {
  if ($("sure").open || !asked) return; // the event of one question may come when the next is asked
  const { rule, opener, match } = asked;
  asked = null;
  if ($("sure").returnValue !== "yes") {
    opener.focus();
    return;
  }
  const at = [...$("rules").children].indexOf(opener.closest("li"));
  const done = await handlers.change("DELETE", `rules/${encodeURIComponent(rule.name)}`, undefined, { match, said: `Rule ${rule.name} is deleted.` });
  const next = done ? $("rules").children[Math.min(at, $("rules").children.length - 1)] : null;
  (next?.querySelector("[role=switch]") ?? (done ? $("rules-title") : opener)).focus();
}

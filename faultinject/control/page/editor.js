// The form for one rule: new, or one that is there. Fields or text, and the bytes that it gives before it is in force.

import { ApiError, call } from "./api.js";
import { answer } from "./bytes.js";
import * as fields from "./fields.js";
import { picker } from "./picker.js";
import { clear, keyOf, tell } from "./problems.js";
import { make, mark, say, shown } from "./text.js";

const $ = (id) => document.getElementById(id);

let page = {};
let choices = [];
let complete = false; // whether the catalogue has come
let takes = new Map();
let list = null;
let editing = null; // {name, given, rule, text} of the rule that is edited; null: a new one
let gone = ""; // the name of the rule that was edited and that somebody else has deleted
let seen = []; // all rules when the form last looked at them
let draft; // the name of the rule that the form was last opened for, null for a new one
let generation = null; // of the state that the form was opened with
let opener = null;
let built = false;
let asked = 0; // previews, of which only the newest is shown
let timer = 0;

/** `given`: change(method, path, body, options), state() gives the newest one, failed(error). */
export function wire(given) {
  page = given;
  $("add").addEventListener("click", () => open(null, $("add")));
  $("cancel").addEventListener("click", close);
  $("rule-form").addEventListener("submit", save);
  // What is typed anew may be right: the next answer says.
  $("rule-form").addEventListener("input", (event) => mark(event.target, "aria-invalid", null));
  $("preview-form").addEventListener("submit", (event) => {
    event.preventDefault();
    preview(true);
  });
  for (const each of document.querySelectorAll("input[name=mode]")) each.addEventListener("change", switchMode);
  $("rule-text").addEventListener("input", soon);
  $("rule-name").addEventListener("input", soon);
  list = picker($("fault"), $("fault-list"), () => {
    const vendor = $("vendor").value;
    return vendor ? choices.filter((each) => each.group === vendor) : choices;
  }, describe, notFound);
  $("editor").addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) close();
  });
}

function notFound() {
  if (/^\s*http:\d*\s*$/i.test($("fault").value)) return "http: takes any status from 400 to 599.";
  return complete ? "The catalogue has no such fault." : "Loading the catalogue …";
}

/** Take what rules can say, and the vendors' documented errors. */
export function learn(vocabulary, catalogue, whole) {
  takes = new Map(vocabulary.faults.map((each) => [each.title, each.takes]));
  choices = catalogue;
  complete = whole;
  list.again();
  if (built) return;
  built = true;
  $("save").disabled = $("modes").disabled = false; // before, a rule would lose what there is no field for
  $("vendor").append(...vocabulary.vendors.map(({ id, title }) => make("option", { value: id }, ...shown(`${id} – ${title}`))));
  fields.build($("groups"), vocabulary, soon);
  fields.put(editing?.rule ?? {});
  describe($("fault").value);
}

function describe(value) {
  const kind = /^http:/i.test(value) ? "http:NNN" : value.includes(":") ? "vendor:Code" : value;
  fields.fit(takes.get(kind) ?? null);
  const row = choices.find((each) => each.value === value.trim());
  say($("fault-says"), row ? [row.status, row.words].filter(Boolean).join(" · ") : "");
  soon();
}

const mode = () => document.querySelector("input[name=mode]:checked").value;

/** Open the form for a rule of the state, or for a new one. */
export function open(rule, from) {
  opener = from ?? document.activeElement;
  const key = rule?.name ?? null;
  const same = !rule || rule.given || rule.text === editing?.text; // a name by position may be another rule's by now
  if (draft === key && same && isTouched()) {
    show(); // closed by mistake, or open already: what is typed stays
    return;
  }
  draft = key;
  const whole = rule?.rule ?? {};
  editing = rule ? { name: rule.name, given: rule.given, rule: whole, text: rule.text } : null;
  gone = "";
  generation = page.state()?.generation ?? null;
  seen = page.state()?.rules ?? [];
  clear($("editor-wrong"));
  $("editor-changed").hidden = true;
  title();
  $("rule-text").value = rule ? rule.text : "";
  fill(whole);
  fields.markWrong([]);
  for (const id of ["fault", "rule-text", "rule-name"]) mark($(id), "aria-invalid", null);
  $("preview-out").replaceChildren(make("p", { class: "empty" }, "Choose a fault to see its bytes."));
  show();
}

function title() {
  say($("editor-title"), editing ? `Edit rule ${editing.name}` : "Add a rule");
  say($("save"), editing ? "Save the rule" : "Add the rule");
}

function show() {
  $("editor").hidden = false;
  (mode() === "text" ? $("rule-text") : $("fault")).focus();
  list.close();
  $("editor").scrollIntoView({ block: "start" });
  soon();
}

function fill(rule) {
  $("fault").value = rule.fault ?? "";
  $("vendor").value = "";
  $("rule-name").value = rule.name ?? "";
  fields.put(rule);
  describe($("fault").value);
}

function close() {
  $("editor").hidden = true;
  const back = opener?.isConnected ? opener : $("add");
  back.focus();
}

function isTouched() {
  const rule = written();
  return mode() === "text" ? $("rule-text").value.trim() !== (editing?.text ?? "") : JSON.stringify(normal(rule)) !== JSON.stringify(normal(editing?.rule ?? { fault: "" }));
}

/** The rule as the form says it: {text} or an object. */
function written() {
  return mode() === "text" ? { text: $("rule-text").value.trim() } : fromFields();
}

function fromFields() {
  const rule = { fault: $("fault").value.trim(), ...fields.collect() };
  if ($("rule-name").value.trim()) rule.name = $("rule-name").value.trim();
  return rule;
}

/** A rule in which equal values look the same: `0.30` and 0.3 stay different, 2 and "2" do not. */
function normal(value) {
  if (Array.isArray(value)) return value.length === 1 ? normal(value[0]) : value.map(normal);
  if (value && typeof value === "object") return Object.fromEntries(Object.keys(value).sort().map((key) => [key, normal(value[key])]));
  return value === true ? "yes" : value === false ? "no" : String(value);
}

const isTable = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** What PATCH has to be told to make one rule of another: null takes a key away, in tables such as `header` too. */
function difference(old, rule) {
  const found = {};
  for (const key of Object.keys(old)) if (!Object.hasOwn(rule, key)) found[key] = null;
  for (const [key, value] of Object.entries(rule)) {
    if (JSON.stringify(normal(value)) === JSON.stringify(normal(old[key] ?? null))) continue;
    found[key] = isTable(value) && isTable(old[key]) ? difference(old[key], value) : value;
  }
  return found;
}

const isEmpty = (rule) => ("text" in rule ? !rule.text : !rule.fault);

async function save(event) {
  event.preventDefault();
  list.close();
  clear($("editor-wrong"));
  const rule = written();
  if (isEmpty(rule)) {
    wrong(new ApiError("refused", mode() === "text" ? "The rule is empty: write one, such as cos:SlowDown,times=2." : "The rule has no fault: choose one, such as cos:SlowDown."));
    return;
  }
  const options = {
    match: generation,
    said: editing ? `Rule ${editing.name} is changed.` : "The rule is added. It is in force.",
    refused: wrong,
    conflict: () => {
      tellChanged("Nothing was done: somebody else has changed the rules in the meantime. The page shows them as they are now. What you typed is still here: look at both, then press the button again.");
      $("editor-title").focus();
    },
  };
  const done = editing
    ? await page.change("PATCH", `rules/${encodeURIComponent(editing.name)}`, "text" in rule ? rule : difference(editing.rule, rule), options)
    : await page.change("POST", "rules", rule, options);
  if (!done) return;
  draft = undefined;
  close();
}

function wrong(error) {
  const box = tell($("editor-wrong"), error);
  const keys = (error.problems ?? []).map(keyOf);
  let first = fields.markWrong(mode() === "text" ? [] : keys);
  mark($("rule-text"), "aria-invalid", mode() === "text" ? "true" : null);
  if (mode() === "text") first = $("rule-text");
  else if (!first && (!$("fault").value.trim() || keys.includes("fault"))) first = $("fault");
  mark($("fault"), "aria-invalid", first === $("fault") ? "true" : null);
  (first ?? box).focus();
  list.close();
}

/** Somebody changed the rules: say so while there is time. `mine`: this page did, or has said it already. */
export function noteState(state, mine) {
  if ($("editor").hidden || generation === null || state.generation === generation) return;
  follow(state.rules ?? []);
  if (mine) generation = state.generation;
  else tellChanged("Somebody else has just changed the rules or the switch. What you typed is still here.");
}

function tellChanged(words) {
  say($("editor-changed"), gone ? `Somebody else has deleted rule ${gone}. What you typed is still here: “Add the rule” makes a new rule of it.` : words);
  $("editor-changed").hidden = false;
}

/** Keep to the rule that is edited: one without a name of its own is called by its position, which others change. */
function follow(rules) {
  if (editing) {
    const found = rules.find(isEdited(rules));
    if (found) editing.name = found.name;
    else {
      gone = editing.name;
      editing = draft = null;
    }
    title();
  }
  seen = rules;
}

function isEdited(rules) {
  const { name, given } = editing;
  if (given) return (each) => each.name === name;
  const at = seen.findIndex((each) => each.name === name);
  const onlyThis = rules.length === seen.length && rules.every((each, index) => index === at || each.text === seen[index].text);
  if (onlyThis) return (each) => each.name === name;
  return (each) => !each.given && each.text === seen[at]?.text;
}

async function switchMode() {
  const toText = mode() === "text";
  const rule = toText ? fromFields() : { text: $("rule-text").value.trim() };
  clear($("editor-wrong"));
  if (!isEmpty(rule)) {
    try {
      const found = await call("POST", "preview", whatFor(rule));
      if (toText) $("rule-text").value = found.text ?? $("rule-text").value;
      else if (found.rule) fill(found.rule);
    } catch (error) {
      if (error.kind === "token") page.failed(error);
      const back = toText ? "fields" : "text";
      document.querySelector(`input[name=mode][value=${back}]`).checked = true;
      wrong(error);
      return;
    }
  }
  $("as-fields").hidden = toText;
  $("as-text").hidden = !toText;
  soon();
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(() => preview(false), 400);
}

async function preview(explicitly) {
  clearTimeout(timer);
  const rule = written();
  const box = $("preview-out");
  if (!built || ($("editor").hidden && !explicitly)) return;
  if (isEmpty(rule)) {
    box.replaceChildren(make("p", { class: "empty" }, "Choose a fault to see its bytes."));
    return;
  }
  const mine = (asked += 1);
  const request = {};
  for (const name of ["method", "path", "host"]) {
    const value = $(`preview-${name}`).value.trim();
    if (value) request[name] = value; // without one, the server takes what the rule names, or a usual one
  }
  try {
    const found = await call("POST", "preview", { ...whatFor(rule), ...request });
    if (mine !== asked) return;
    const other = found.matches === false && Object.keys(request).length ? [make("p", { class: "note" }, "This request does not meet the rule's conditions. Its fault is shown anyway.")] : [];
    box.replaceChildren(...other, answer(found));
  } catch (error) {
    if (mine !== asked) return;
    if (error.kind === "token") page.failed(error);
    tell(box.appendChild(make("div")), error);
    box.replaceChildren(box.lastElementChild);
  }
}

/** A rule's `method`, `path` and `host` are conditions, those beside it are the request's. */
function whatFor(rule) {
  return "text" in rule ? rule : { rule };
}

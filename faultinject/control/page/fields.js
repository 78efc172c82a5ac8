// The keys of a rule as fields: a row for each condition, trigger and effect that one fills in.

import { code, make, mark, prose, shown } from "./text.js";

const TITLES = {
  conditions: ["Which requests", "Without a condition, every request. A condition given twice means either."],
  triggers: ["How often", "Without a trigger, each time."],
  effects: ["How it is done", "The fault says which effects it takes."],
};
const FIRST = { conditions: ["method", "path"], triggers: ["probability", "times"], effects: [] };

let vocabulary = { conditions: [], triggers: [], effects: [], faults: [] };
let changed = () => {};
const groups = {};
let number = 0;

/** Build the three groups in an element. `told()` is called after each change. */
export function build(element, words, told) {
  vocabulary = words;
  changed = told;
  element.replaceChildren(...Object.entries(TITLES).map(([name, [title, hint]]) => group(name, title, hint)));
  element.addEventListener("input", () => changed());
}

function group(name, title, hint) {
  const choice = make("select", { id: `more-${name}`, "aria-label": `Another of: ${title.toLowerCase()}` });
  const add = make("button", { type: "button", class: "small-button" }, "Add");
  const list = make("div", { class: "rows" });
  const place = { name, choice, list, add };
  groups[name] = place;
  add.addEventListener("click", () => {
    if (!choice.value) return;
    const added = row(place, choice.value);
    offer();
    (added.querySelector(".key-name") ?? added.querySelector(".key-value")).focus();
    changed();
  });
  return make("fieldset", { class: "group", id: `group-${name}` }, make("legend", {}, title), make("p", { class: "quiet hint" }, hint), list, make("p", { class: "inline more" }, choice, add));
}

const known = (name, key) => vocabulary[name].find((each) => each.key === key);

function row(place, key, { name = "", value = "", unless = false } = {}) {
  const word = known(place.name, key) ?? { key, summary: "" };
  const id = `key-${(number += 1)}`;
  const input = word.choices?.length || word.flag ? select(word, value) : written(word, value);
  input.id = id;
  input.classList.add("key-value");
  mark(input, "aria-describedby", `${id}-says`);
  const remove = make("button", { type: "button", class: "remove", "aria-label": `Remove ${word.title ?? key}`, title: "Remove" }, "×");
  const example = word.example ? [" Such as ", code(word.example), "."] : [];
  const element = make(
    "div",
    { class: "row", "data-key": key },
    make("label", { for: id, class: "key" }, key),
    word.named ? make("input", { class: "key-name", "aria-label": `Name of the ${key}`, placeholder: "name", autocomplete: "off", autocapitalize: "off", spellcheck: "false", value: name }) : null,
    input,
    place.name === "conditions" && !word.once ? make("label", { class: "unless" }, make("input", { type: "checkbox", class: "key-unless", checked: unless }), " unless") : null,
    remove,
    make("p", { class: "says", id: `${id}-says` }, ...prose(word.summary), ...example),
  );
  remove.addEventListener("click", () => {
    const next = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    offer();
    (next?.querySelector(".key-value") ?? place.choice).focus();
    changed();
  });
  place.list.append(element);
  return element;
}

function written(word, value) {
  const given = { autocomplete: "off", autocapitalize: "off", spellcheck: "false", placeholder: word.default || "" };
  // A field of one line would drop the line ends of a message.
  return /[\r\n]/.test(value) ? make("textarea", { ...given, rows: 3 }, value) : make("input", { ...given, value });
}

function select(word, value) {
  const values = word.choices?.length ? word.choices : ["yes", "no"];
  const all = value && !values.includes(value) ? [value, ...values] : values;
  const empty = word.default ? `${word.default} (if not given)` : "not given";
  return make("select", {}, make("option", { value: "" }, ...shown(empty)), ...all.map((each) => make("option", { value: each, selected: each === value }, ...shown(each))));
}

let taken = null; // the effects that the fault takes; null: any

/** Offer only the effects that a fault takes. What was filled in stays, and says that it does not fit. */
export function fit(takes) {
  taken = takes;
  offer();
}

function offer() {
  for (const place of Object.values(groups)) {
    const rows = [...place.list.children].map((each) => each.dataset.key);
    const free = vocabulary[place.name].filter((each) =>
      ((place.name === "conditions" && !each.once) || each.named || !rows.includes(each.key)) && (place.name !== "effects" || !taken || taken.includes(each.key)));
    const before = place.choice.value;
    place.choice.replaceChildren(...free.map((each) => make("option", { value: each.key }, ...shown(each.title ?? each.key))));
    if (free.some((each) => each.key === before)) place.choice.value = before;
    place.choice.disabled = place.add.disabled = free.length === 0;
    if (place.name !== "effects") continue;
    for (const each of place.list.children) mark(each, "data-unfit", taken && !taken.includes(each.dataset.key) ? "true" : null);
  }
}

/** Show a rule, as an object with the keys of JSON. */
export function put(rule) {
  for (const [name, place] of Object.entries(groups)) {
    place.list.replaceChildren();
    for (const word of vocabulary[name]) {
      fill(place, word, rule[word.key], false);
      if (name === "conditions" && !word.once) fill(place, word, rule.unless?.[word.key], true);
    }
    const there = [...place.list.children].map((each) => each.dataset.key);
    for (const key of FIRST[name]) if (!there.includes(key) && known(name, key)) row(place, key);
  }
  offer();
}

function fill(place, word, given, unless) {
  if (given === undefined || given === null) return;
  const one = (name, values) => {
    for (const value of Array.isArray(values) ? values : [values]) row(place, word.key, { name, value: asText(value), unless });
  };
  if (word.named) Object.entries(given).forEach(([name, values]) => one(name, values));
  else one("", given);
}

function asText(value) {
  return value === true ? "yes" : value === false ? "no" : String(value);
}

/** The keys that are filled in, as an object with the keys of JSON. */
export function collect() {
  const found = {};
  for (const [name, place] of Object.entries(groups)) {
    for (const element of place.list.children) {
      const key = element.dataset.key;
      const word = known(name, key);
      const field = element.querySelector(".key-value");
      const value = field.value === field.defaultValue ? field.value : field.value.trim(); // what was there stays as it is
      const label = element.querySelector(".key-name")?.value.trim();
      // `query.uploads=`: a parameter that is there, with any value. An effect without a value is not given.
      if (word?.named ? !label : !value) continue;
      if (element.querySelector(".key-unless")?.checked) add((found.unless ??= {}), word, label, value);
      else add(found, word, label, value);
    }
  }
  return found;
}

function add(into, word, label, value) {
  const table = word.named ? (into[word.key] ??= {}) : into;
  const key = word.named ? label : word.key;
  if (!Object.hasOwn(table, key)) table[key] = value;
  else table[key] = [].concat(table[key], value);
}

/** Mark the fields of these keys as wrong; returns the first of them, or null. */
export function markWrong(keys) {
  let first = null;
  for (const place of Object.values(groups)) {
    for (const element of place.list.children) {
      const label = element.querySelector(".key-name")?.value.trim().toLowerCase();
      const key = label ? `${element.dataset.key}.${label}` : element.dataset.key;
      const field = element.querySelector(".key-value");
      const wrong = keys.some((each) => each === key || each === `unless.${key}` || each === element.dataset.key);
      mark(field, "aria-invalid", wrong ? "true" : null);
      if (wrong) first ??= field;
    }
  }
  return first;
}

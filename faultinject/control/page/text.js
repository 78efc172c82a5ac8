// What the server says becomes text here: never markup, and no character that could hide or turn round others.

// What Python's str.isprintable() refuses: controls, formats (bidirectional and invisible ones among them), lone
// surrogates, private and unassigned characters, separators other than the blank.
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escaped(character) {
  const point = character.codePointAt(0);
  if (SHORT[character]) return SHORT[character];
  if (point < 0x100) return `\\x${point.toString(16).padStart(2, "0")}`;
  if (point < 0x10000) return `\\u${point.toString(16).padStart(4, "0")}`;
  return `\\U${point.toString(16).padStart(8, "0")}`;
}

/** A text without characters that cannot be seen: they are written as escapes. */
export function visible(value) {
  return String(value ?? "").replace(UNSEEN, escaped);
}

/** Nodes for a text; what was escaped stands out from a backslash that was really there. Line ends stay with `lines`. */
export function shown(value, { lines = false } = {}) {
  const text = String(value ?? "");
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(UNSEEN)) {
    if (lines && match[0] === "\n") continue;
    if (match.index > from) nodes.push(document.createTextNode(text.slice(from, match.index)));
    nodes.push(make("span", { class: match[0] === "\t" ? "escape tab" : "escape" }, escaped(match[0])));
    from = match.index + match[0].length;
  }
  if (from < text.length) nodes.push(document.createTextNode(text.slice(from)));
  return nodes;
}

/** An element with attributes and children; texts among the children become text nodes. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((each) => each !== null && each !== undefined && each !== ""));
  return element;
}

/** A `code` element with what the server said. */
export function code(value, attributes = {}) {
  return make("code", attributes, ...shown(value));
}

/** The same for a rule, which breaks lines behind its commas. */
export function ruleCode(text) {
  const parts = String(text ?? "").split(/(?<=,)/);
  return make("code", {}, ...parts.flatMap((each, index) => (index ? [make("wbr"), ...shown(each)] : shown(each))));
}

/** A day as the log writes it. */
export function day(seconds) {
  const date = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Give an element a text, only where it has another: a screen reader would read it again, and a selection would go. */
export function say(element, value) {
  const text = visible(value);
  if (element.textContent !== text) element.textContent = text;
}

/** The same for an attribute; null takes it away. */
export function mark(element, name, value) {
  if (value === null || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** A number with commas between thousands. */
export function count(number) {
  return typeof number === "number" ? number.toLocaleString("en-US") : "–";
}

/** `1 request`, `2 requests`. */
export function many(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** Seconds as a clock shows what is left: `9:42`, `1:02:03`. */
export function clock(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(left / 3600);
  const minutes = Math.floor(left / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}

/** The time of day of unix seconds. */
export function timeOfDay(seconds, { fine = false } = {}) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return "–";
  const two = (number) => String(number).padStart(2, "0");
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return fine ? `${time}.${String(date.getMilliseconds()).padStart(3, "0")}` : time;
}

/** A duration in seconds with a unit that suits it. */
export function took(seconds) {
  if (typeof seconds !== "number") return "";
  if (seconds < 0.0995) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
}

const UNITS = { ms: "millisecond", s: "second", m: "minute", h: "hour" };

/** `10m` in words, `10 minutes`; as it is where it is no such duration. */
export function inWords(text) {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)\s*$/.exec(text);
  return match ? many(Number(match[1]), UNITS[match[2]]) : text.trim();
}

/** The bytes of a base64 text. */
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64 || ""), (each) => each.charCodeAt(0));
}

/** What of two lists is another: calls `fresh` for keys without an element, and puts elements in the order of the keys. */
export function arrange(list, keys, elements, fresh) {
  const wanted = new Set(keys);
  for (const [key, element] of elements) {
    if (wanted.has(key)) continue;
    element.remove();
    elements.delete(key);
  }
  let before = list.firstElementChild;
  for (const key of keys) {
    let element = elements.get(key);
    if (!element) elements.set(key, (element = fresh(key)));
    if (element === before) before = before.nextElementSibling;
    else list.insertBefore(element, before); // only what has moved is moved: a moved element loses the focus
  }
}

// The exact bytes of an answer, as text in which nothing is hidden.

import { bytesOf, make, many, shown } from "./text.js";

const LONGEST = 64 * 1024; // bytes that are drawn

/** An element that shows what `POST /preview` answered. */
export function answer(preview) {
  const raw = bytesOf(preview.raw);
  const notes = (preview.notes ?? []).map((each) => make("p", { class: "quiet" }, ...shown(each)));
  if (!raw.length) return make("div", {}, make("p", {}, ...shown(`This fault sends no bytes of its own. The client gets ${preview.says || "what the rule says"}.`)));
  const box = make("pre", { class: "bytes", tabindex: "0", role: "region", "aria-label": "The bytes of the answer" });
  const [head, body] = parts(raw);
  box.replaceChildren(...headNodes(head), ...bodyNodes(body));
  return make(
    "div",
    {},
    make("p", { class: "bytes-line" }, `${many(raw.length, "byte")}: ${head.length} of the head, ${body.length} of the body.`),
    box,
    ...notes,
  );
}

/** Head with its empty line, and body. */
function parts(raw) {
  for (let at = 0; at + 3 < raw.length; at += 1) {
    if (raw[at] === 13 && raw[at + 1] === 10 && raw[at + 2] === 13 && raw[at + 3] === 10) return [raw.subarray(0, at + 4), raw.subarray(at + 4)];
  }
  return [raw, raw.subarray(raw.length)];
}

const latin = (bytes) => Array.from(bytes, (each) => String.fromCharCode(each)).join("");

function headNodes(head) {
  return latin(head).split("\r\n").slice(0, -1).map((line, index) =>
    make("span", { class: index ? "header" : "status-line" }, ...shown(line), "\n"));
}

function bodyNodes(body) {
  const part = body.subarray(0, LONGEST);
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(part);
  } catch {
    text = latin(part);
  }
  const rest = body.length > LONGEST ? [make("span", { class: "quiet" }, `\n… ${many(body.length - LONGEST, "more byte")}`)] : [];
  return [...shown(text, { lines: true }), ...rest];
}

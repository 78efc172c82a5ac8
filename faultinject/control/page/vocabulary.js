// What rules can say, and the documented errors, as the form needs them.

import { choice } from "./picker.js";

/** Of `GET /vocabulary` and `GET /vendors`. */
export function read(words, rows) {
  const list = (name) => (words[name] ?? []).map((each) => ({
    key: each.key, title: each.title ?? each.key, summary: each.summary ?? "", named: each.named === true, flag: each.flag === true,
    choices: each.choices ?? [], default: each.default ?? "", example: each.example ?? "",
  }));
  const faults = (words.faults ?? []).map((each) => ({ title: each.title, summary: each.summary ?? "", takes: each.takes ?? null }));
  const vocabulary = { conditions: list("conditions"), triggers: list("triggers"), effects: list("effects"), faults };
  const errors = rows.map((row) => {
    const code = String(row.code).replaceAll(" ", "_") + (row.variant > 1 ? `/${row.variant}` : "");
    return { ...choice(`${row.vendor}:${code}`, row.status, row.message ?? "", `${row.category ?? ""} ${row.retryable === "yes" ? "retryable" : ""}`), group: row.vendor };
  });
  return { vocabulary, choices: [...faults.filter((each) => !each.title.includes(":")).map((each) => choice(each.title, null, each.summary)), ...PLAIN, ...errors] };
}

const PLAIN = [500, 502, 503, 504, 429, 408, 404, 403].map((status) => choice(`http:${status}`, status, "A plain answer of that status; any from 400 to 599 will do"));

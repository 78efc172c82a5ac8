// What rules can say, and the documented errors, as the form needs them.

import { call } from "./api.js";
import { choice } from "./picker.js";

const PLAIN = [500, 502, 503, 504, 429, 408, 404, 403];

/** Ask for all of it; `learned(vocabulary, choices, whole)` is called with what rules can say, and again with the whole
 * catalogue. Raises ApiError. */
export async function learn(learned) {
  const vocabulary = await call("GET", "vocabulary");
  const own = vocabulary.faults.filter((each) => !each.title.includes(":")).map((each) => choice(each.title, null, each.summary));
  const plain = PLAIN.map((status) => choice(`http:${status}`, status, "A plain answer of that status; any from 400 to 599 will do"));
  const vendor = vocabulary.others.find((each) => each.key === "vendor");
  const storage = vocabulary.vendors.filter((each) => each.storage).map((each) => each.id);
  const words = { ...vocabulary, conditions: [...vocabulary.conditions, { ...vendor, once: true, choices: storage }] };
  const titles = new Map(vocabulary.vendors.map((each) => [each.id, each.title]));
  learned(words, [...own, ...plain], false);
  const rows = await call("GET", "vendors");
  const errors = rows.map((row) => ({ ...choice(address(row), row.status, row.message ?? "", `${row.category} ${titles.get(row.vendor)}`), group: row.vendor }));
  const groups = vocabulary.vendors.flatMap(({ id, title, groups: names }) =>
    names.map((name) => ({ ...choice(`${id}:${name}`, null, `One of its errors of this group, drawn evenly`, title), group: id })));
  learned(words, [...own, ...plain, ...groups, ...errors], true);
}

/** How a rule names a documented error. */
function address({ vendor, code, variant, usual }) {
  return `${vendor}:${String(code).replaceAll(" ", "_")}${usual ? "" : `/${variant}`}`;
}

// What rules can say, and the documented errors, as the form needs them.

import { call } from "./api.js";
import { choice } from "./picker.js";

const PLAIN = [500, 502, 503, 504, 429, 408, 404, 403];

const key = (each) => ({ ...each, summary: each.meaning ?? "", flag: each.yes_no === true, choices: each.choices ?? [] });

/** Ask for all of it; `learned(vocabulary, choices, whole)` is called with what rules can say, and again with the whole
 * catalogue. Raises ApiError. */
export async function learn(learned) {
  const words = await call("GET", "vocabulary");
  const vocabulary = { faults: words.faults };
  for (const name of ["conditions", "triggers", "effects"]) vocabulary[name] = words[name].map(key);
  const own = words.faults.filter((each) => !each.title.includes(":")).map((each) => choice(each.title, null, each.meaning));
  const plain = PLAIN.map((status) => choice(`http:${status}`, status, "A plain answer of that status; any from 400 to 599 will do"));
  const choices = [...own, ...plain];
  learned(vocabulary, choices, false);
  const { vendors } = await call("GET", "vendors");
  for (const { id } of vendors) {
    const { title, groups = [], errors } = await call("GET", `vendors/${encodeURIComponent(id)}`);
    const rows = [
      ...groups.map((each) => choice(`${id}:${each}`, null, `Any of its errors of the group ${each}, drawn evenly`, title)),
      ...errors.map((row) => choice(row.address, row.status, row.message ?? "", `${title} ${row.category ?? ""}`)),
    ];
    choices.push(...rows.map((each) => ({ ...each, group: id })));
  }
  learned(vocabulary, choices, true);
}

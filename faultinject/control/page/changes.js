// Who has changed what, and when, newest first.

import { day, make, shown, timeOfDay } from "./text.js";

const $ = (id) => document.getElementById(id);

/** Show the changes of a state. */
export function show(state) {
  const changes = state.changes ?? [];
  const key = JSON.stringify(changes);
  if ($("changes").dataset.key === key) return;
  $("changes").dataset.key = key;
  $("changes-empty").hidden = changes.length > 0;
  $("changes").replaceChildren(...changes.toReversed().map((each) =>
    make("li", {}, make("span", { class: "quiet" }, `${day(each.time)} ${timeOfDay(each.time)}`), make("strong", {}, ...shown(each.by || "somebody")), make("span", {}, ...shown(each.what)))));
}

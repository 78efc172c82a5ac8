// Errors of the API, as the parser words them: where, what, and the caret under the text.

import { make, shown } from "./text.js";

/** Show an error in an element; returns it. */
export function tell(element, error) {
  const problems = error.problems?.length ? error.problems : [{ message: error.message }];
  element.replaceChildren(...problems.map(one));
  element.hidden = false;
  return element;
}

/** Take an error away. */
export function clear(element) {
  element.hidden = true;
  element.replaceChildren();
}

function one(problem) {
  const where = problem.where ? [make("strong", {}, ...shown(problem.where)), ": "] : [];
  const line = make("p", {}, ...where, ...shown(problem.message ?? ""));
  const excerpt = [problem.excerpt, problem.caret].filter((each) => typeof each === "string" && each).join("\n");
  // The caret stands under its character only where each character keeps its width: nothing is escaped in here, and
  // what could not be seen the server has escaped already.
  return make("div", { class: "problem" }, line, excerpt ? make("pre", { class: "excerpt", tabindex: "0", role: "group", "aria-label": "The place of the mistake" }, ...shown(excerpt, { lines: true })) : null);
}

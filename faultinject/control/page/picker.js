// A field in which one types to find a fault: by vendor, code, status, message or category.

import { count, make, many, mark, say, shown } from "./text.js";

const MOST = 80;

/** Make an input and a list a combobox (https://www.w3.org/WAI/ARIA/apg/patterns/combobox/).
 *
 * `choices()` gives objects {value, status, words, group}; `chosen(value)` is called when one is
 * taken or typed, `nothing()` says why none is found. */
export function picker(input, list, choices, chosen, nothing) {
  let active = -1;
  let found = [];
  const said = make("p", { class: "unseen", role: "status" });
  list.after(said);

  const options = () => [...list.querySelectorAll("[role=option]")];
  const close = () => {
    list.hidden = true;
    said.textContent = "";
    active = -1;
    mark(input, "aria-expanded", "false");
    mark(input, "aria-activedescendant", null);
  };
  const activate = (to) => {
    const all = options();
    active = all.length ? (to + all.length) % all.length : -1;
    all.forEach((each, index) => mark(each, "aria-selected", String(index === active)));
    mark(input, "aria-activedescendant", active < 0 ? null : all[active].id);
    all[active]?.scrollIntoView({ block: "nearest" });
  };
  const take = (index) => {
    if (!found[index]) return;
    input.value = found[index].value;
    close();
    chosen(input.value);
  };
  const open = () => {
    const words = input.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    const all = choices().filter((each) => words.every((word) => each.haystack.includes(word)));
    const typed = input.value.trim().toLowerCase();
    // What begins as typed, or has it in its name, comes before what only speaks of it.
    const rank = (each) => (each.name === typed ? 0 : each.name.startsWith(typed) ? 1 : each.code.startsWith(typed) ? 2 : words.every((word) => each.name.includes(word)) ? 3 : 4);
    found = all.map((each) => [rank(each), each]).sort((a, b) => a[0] - b[0]).slice(0, MOST).map(([, each]) => each);
    active = -1;
    mark(input, "aria-activedescendant", null);
    list.replaceChildren(
      ...found.map((each, index) => {
        const option = make(
          "li",
          { role: "option", id: `${list.id}-${index}`, "aria-selected": "false" },
          make("span", { class: "option-name" }, ...shown(each.value)),
          make("span", { class: "option-status" }, each.status ? String(each.status) : ""),
          make("span", { class: "option-words" }, ...shown(each.words)),
        );
        option.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the field
        option.addEventListener("click", () => take(index));
        return option;
      }),
      ...(all.length > MOST ? [make("li", { class: "quiet", role: "presentation" }, `${count(all.length - MOST)} more: type more of it.`)] : []),
      ...(all.length ? [] : [make("li", { class: "quiet", role: "presentation" }, nothing())]),
    );
    list.hidden = false;
    say(said, all.length ? `${many(all.length, "fault")} found` : nothing());
    mark(input, "aria-expanded", "true");
  };

  input.addEventListener("input", () => {
    open();
    chosen(input.value);
  });
  input.addEventListener("click", () => list.hidden && open());
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (list.hidden) open();
      activate(active < 0 && step < 0 ? -1 : active + step);
    } else if (event.key === "Enter" && !list.hidden && active >= 0) {
      event.preventDefault();
      take(active);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    }
  });
  return {
    close,
    /** There are other choices now. */
    again: () => !list.hidden && active < 0 && open(),
  };
}

/** A choice with what is searched worked out once. */
export function choice(value, status, words, more = "") {
  const name = value.toLowerCase();
  return { value, status, words, name, code: name.slice(name.indexOf(":") + 1), haystack: `${name} ${status ?? ""} ${words} ${more}`.toLowerCase() };
}

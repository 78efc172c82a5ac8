// The form for one rule, as text: while one types, what is wrong with it, or the bytes that it gives.

import { ApiError, call } from "./api.js";
import { answer } from "./bytes.js";
import * as choosing from "./choosing.js";
import { clear, tell } from "./problems.js";
import { make, mark, say } from "./text.js";

const $ = (id) => document.getElementById(id);

let page = {};
let editing = null; // {name, text} of the rule that is edited; null: a new one
let opener = null;
let asked = 0; // previews, of which only the newest is shown
let timer = 0;

/** `given`: change(method, path, body, options), state() gives the newest one, failed(error). */
export function wire(given) {
  page = given;
  $("add").addEventListener("click", () => open(null, $("add")));
  $("cancel").addEventListener("click", close);
  $("rule-form").addEventListener("submit", save);
  choosing.wire(preview);
  $("rule-text").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(preview, 300);
  });
  $("rule-text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    $("rule-form").requestSubmit();
  });
  $("editor").addEventListener("keydown", (event) => event.key === "Escape" && close());
}

/** Open the form for a rule of the state, or for a new one. What was typed for a new one is still there. */
export function open(rule, from) {
  opener = from ?? document.activeElement;
  if (rule || editing) $("rule-text").value = rule?.text ?? "";
  editing = rule ? { name: rule.name, text: rule.text } : null;
  say($("editor-title"), editing ? `Edit rule ${editing.name}` : "Add a rule");
  say($("save"), editing ? "Save the rule" : "Add the rule");
  $("editor").hidden = false;
  $("rule-text").focus();
  $("editor").scrollIntoView({ block: "start" });
  preview();
}

function close() {
  $("editor").hidden = true;
  (opener?.isConnected ? opener : $("add")).focus();
}

const written = () => $("rule-text").value.trim();

async function save(event) {
  event.preventDefault();
  if (!written()) {
    refused(new ApiError("refused", "The rule is empty: write one, such as cos:SlowDown,times=2."));
    return;
  }
  // A rule without a name is called by its position, which changes with the rules before it.
  if (editing && page.state().rules.find((each) => each.name === editing.name)?.text !== editing.text) {
    refused(new ApiError("conflict", `Rule ${editing.name} was changed or deleted elsewhere, and nothing was done. Close the form and open the rule again.`));
    return;
  }
  const options = { said: editing ? `Rule ${editing.name} is changed.` : "The rule is added. It is in force.", refused };
  const done = editing
    ? await page.change("PATCH", `rules/${encodeURIComponent(editing.name)}`, { text: written() }, options)
    : await page.change("POST", "rules", { text: written() }, options);
  if (!done) return;
  $("rule-text").value = "";
  editing = null;
  close();
}

function refused(error) {
  wrong(error);
  $("rule-text").focus();
}

function wrong(error) {
  asked += 1; // a preview that is under way comes too late
  tell($("editor-wrong"), error);
  mark($("rule-text"), "aria-invalid", "true");
  $("preview-out").replaceChildren(empty());
}

const empty = () => make("p", { class: "empty" }, "Write a rule to see its bytes.");

async function preview() {
  clearTimeout(timer);
  const mine = (asked += 1);
  try {
    await choosing.show();
    const found = written() ? await call("POST", "preview", { text: written() }) : null;
    if (mine !== asked) return;
    clear($("editor-wrong"));
    mark($("rule-text"), "aria-invalid", null);
    $("preview-out").replaceChildren(found ? answer(found) : empty());
  } catch (error) {
    if (mine !== asked) return;
    if (error.kind === "token") page.failed(error);
    else wrong(error);
  }
}

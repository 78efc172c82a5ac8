// The dialog that asks for the token, and asks again when the server no longer takes it.

import { call, hasToken, useToken } from "./api.js";
import { clear, tell } from "./problems.js";

const $ = (id) => document.getElementById(id);

const waiting = new Set();
let wasRight = false;

/** Resolves when there is a token. */
export async function asked() {
  while (!hasToken()) {
    if (!$("login").open) {
      $("login").showModal();
      $("token").focus();
    }
    await new Promise((done) => waiting.add(done));
  }
}

/** The token is wrong, or is no longer right. What has been typed elsewhere stays: the dialog only lies above it. */
export function refused(error) {
  if (!hasToken() && $("login").open) return;
  useToken("");
  tell($("login-wrong"), wasRight ? { message: "The server no longer takes the token. It may have started anew, with another one. What you typed in the page is still there." } : error);
  asked();
}

/** Wire the dialog; `entered(state)` gets the first state that a token gives. */
export function wire(entered) {
  // Browsers that do not know `closedby` close it by Esc, at the second press whatever a script says.
  $("login").addEventListener("cancel", (event) => event.preventDefault());
  $("login").addEventListener("close", () => hasToken() || asked());
  $("login-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("token").value.trim();
    if (text) enter(text, entered);
  });
}

async function enter(text, entered) {
  useToken(text);
  try {
    entered(await call("GET", "state"));
  } catch (error) {
    useToken("");
    tell($("login-wrong"), error.kind === "token" ? { message: "This is not the token of this server." } : error);
    $("token").select();
    $("token").focus();
    return;
  }
  wasRight = true;
  $("token").value = "";
  clear($("login-wrong"));
  $("login").close();
  for (const each of waiting) each();
  waiting.clear();
}

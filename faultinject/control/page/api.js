// The control API: one place where the token, generations and errors are.

let token = "";

/** What went wrong with a call. `kind`: away (no answer), token, conflict, refused (wrong input), failed (all else). */
export class ApiError extends Error {
  constructor(kind, message, { status = 0, problems = [] } = {}) {
    super(message);
    this.kind = kind;
    this.status = status;
    this.problems = problems;
  }
}

/** The address that calls are relative to: this file is in its `static/`. */
export const ROOT = new URL("../", import.meta.url);

/** Keep the token, in this variable and nowhere else. */
export function useToken(text) {
  token = text;
}

export function hasToken() {
  return token !== "";
}

let ahead = 0;

/** Now by the server's clock, unix seconds: the two clocks may differ. */
export function serverNow() {
  return Date.now() / 1000 + ahead;
}

/** Note the server's time. */
export function noteClock(now) {
  if (typeof now !== "number") return;
  const difference = now - Date.now() / 1000;
  ahead = Math.abs(difference) < 1 ? 0 : difference; // the time on the way is no difference
}

const KINDS = { 400: "refused", 401: "token", 403: "refused", 404: "refused", 409: "refused", 412: "conflict", 413: "refused" };
const PATIENCE = 15000;

async function failure(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Not the API's own answer: something stands in between.
  }
  const message = error.message || `The server answered ${response.status} ${response.statusText}`.trim();
  const problems = Array.isArray(error.problems) ? error.problems : [];
  return new ApiError(KINDS[response.status] || "failed", message, { status: response.status, problems });
}

async function send(path, options, signal) {
  if (!/^[\x21-\x7e]*$/.test(token)) throw new ApiError("token", "A token has visible ASCII characters only.");
  const headers = { accept: "application/json", ...options.headers };
  if (token) headers.authorization = `Bearer ${token}`;
  try {
    return await fetch(new URL(path, ROOT), {
      ...options, headers, signal, cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("away", "The server does not answer.");
  }
}

/** Call the API; the answer's JSON. Raises ApiError. `match`: the generation that the change is meant for. */
export async function call(method, path, body, { match } = {}) {
  const options = { method, headers: {} };
  if (method !== "GET") {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body ?? {});
  }
  if (match !== undefined && match !== null) options.headers["if-match"] = `"${match}"`;
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), PATIENCE);
  try {
    const response = await send(path, options, abort.signal);
    if (!response.ok) throw await failure(response);
    if (response.status === 204) return null;
    return await response.json();
  } catch (error) {
    if (error instanceof ApiError) throw error;
    if (error.name === "AbortError") throw new ApiError("away", `The server has not answered for ${PATIENCE / 1000} seconds.`);
    throw new ApiError(error.name === "SyntaxError" ? "failed" : "away", "The answer of the server cannot be read.");
  } finally {
    clearTimeout(timer);
  }
}

/** Seconds to wait before the next try, after so many that failed. */
export function backoff(failures) {
  return Math.min(15, 2 ** Math.max(0, failures - 1));
}

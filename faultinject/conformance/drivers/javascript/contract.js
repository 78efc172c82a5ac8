// The contract of `faultinject conformance --contract`, for drivers in JavaScript: a driver is only the client's calls.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const LONGEST_ERROR = 2000;

// What the user has set for his own buckets is not what an SDK does by itself.
for (const name of Object.keys(process.env)) {
  if (/^(AWS|AZURE|GOOGLE|GCLOUD|STORAGE|OSS|QINIU)_/.test(name)) delete process.env[name];
}

const answers = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr); // what an SDK prints is no answer

function write(line) {
  answers(`${JSON.stringify(line)}\n`);
}

function textOf(error) {
  const status = error?.$metadata?.httpStatusCode ?? error?.statusCode ?? error?.status ?? error?.code ?? "";
  const name = error?.name ?? "Error";
  let said = `${name}: ${status} ${error?.Code ?? ""} ${error?.message ?? JSON.stringify(error)}`;
  for (let cause = error?.cause; cause; cause = cause.cause) { // that of "fetch failed" says why
    const more = cause.message || cause.code;
    if (more && !said.includes(more)) said += ` (${more})`;
  }
  return said.split(/\s+/).join(" ").slice(0, LONGEST_ERROR);
}

/** A package of the folder that JAVASCRIPT_SDKS names. */
exports.sdk = createRequire(path.resolve(process.env.JAVASCRIPT_SDKS ?? ".", "package.json"));

/** Reads a stream to its end. */
exports.drain = async (stream) => {
  for await (const chunk of stream) void chunk;
};

/**
 * Serves the contract until the input ends.
 *
 * @param make makes a client of the first line ({ endpoint, bucket, etag }): an object with some of get, put, post and
 *     complete, each of which takes a key and returns a promise, rejected where the caller gets an error.
 */
exports.serve = async (make) => {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const first = JSON.parse((await lines.next()).value);
  const clients = Object.fromEntries(first.clients.map((name) => [name, make(first)]));
  const kinds = ["get", "put", "post", "complete"].filter((kind) => kind in Object.values(clients)[0]);
  write({ ready: true, kinds });
  for await (const line of lines) {
    const call = JSON.parse(line);
    Promise.resolve()
      .then(() => clients[call.client][call.do](call.key))
      .then(
        () => write({ key: call.key, ok: true }),
        (error) => write({ key: call.key, ok: false, error: textOf(error) }),
      );
  }
  process.exit(0); // whatever still waits for its retry
};

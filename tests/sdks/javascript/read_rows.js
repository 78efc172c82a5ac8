// Has a client ask for each key of the input, and writes what it says of the answers: one line of JSON a call.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const answers = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr); // what an SDK prints is no answer

exports.url = new URL(process.argv[2]);
exports.bucket = "photos";

/** A package of the folder that JAVASCRIPT_SDKS names. */
exports.sdk = createRequire(path.resolve(process.env.JAVASCRIPT_SDKS, "package.json"));

/**
 * @param calls by their names; each takes a key.
 * @param said makes [status, code, message, request id] of what a call was rejected with.
 */
exports.read = async (calls, said) => {
  for await (const key of readline.createInterface({ input: process.stdin })) {
    for (const [call, ask] of Object.entries(calls)) {
      const found = await ask(key).then(() => "a success", said);
      answers(`${JSON.stringify([key, call, found])}\n`);
    }
  }
};

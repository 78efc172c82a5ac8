// A driver in JavaScript for `faultinject conformance --client 'node client.js'`; `make` is the part to replace.
//
// This one is cos-nodejs-sdk-v5, which writes the bucket into the host: `Proxy` sends it to the server.
"use strict";

const readline = require("node:readline");
const COS = require("cos-nodejs-sdk-v5");

/** The calls of the SDK; a call that it cannot make is left out. Each gives a promise. */
function make({ endpoint, bucket, etag }) {
  const cos = new COS({ SecretId: "id", SecretKey: "key", Protocol: "http:", Proxy: endpoint });
  const at = (key) => ({ Bucket: bucket, Region: "ap-guangzhou", Key: key });
  return {
    get: (key) => cos.getObject(at(key)),
    put: (key) => cos.putObject({ ...at(key), Body: "meow".repeat(100) }),
    post: (key) => cos.multipartInit(at(key)),
    complete: (key) =>
      cos.multipartComplete({ ...at(key), UploadId: key, Parts: [{ PartNumber: 1, ETag: etag }] }),
  };
}

const answers = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr); // whatever an SDK prints is no answer
const write = (line) => answers(`${JSON.stringify(line)}\n`);

let clients;
readline
  .createInterface({ input: process.stdin })
  .on("line", (text) => {
    const line = JSON.parse(text);
    if (!clients) {
      clients = Object.fromEntries(line.clients.map((name) => [name, make(line)]));
      write({ ready: true, kinds: Object.keys(make(line)) });
      return;
    }
    const { key, client } = line;
    Promise.resolve()
      .then(() => clients[client][line.do](key))
      .then(
        () => write({ key, ok: true }),
        (error) => write({ key, ok: false, error: [error, error?.cause].filter(Boolean).map(String).join(": ") }),
      );
  })
  .on("close", () => process.exit(0));

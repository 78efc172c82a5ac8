"use strict";

const { bucket, read, sdk, url } = require("./read_rows.js");

const { Client } = sdk("minio");
const client = new Client({
  endPoint: url.hostname,
  port: Number(url.port),
  useSSL: false,
  accessKey: "id",
  secretKey: "key",
  region: "us-east-1", // or it asks for the bucket's first
  retryOptions: { disableRetry: true },
});

// It may leave them as they were sent: that depends on the release of its XML parser.
const decoded = (text) => text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code));

read(
  {
    GetObject: (key) => client.getObject(bucket, key),
    PutObject: (key) => client.putObject(bucket, key, "x"),
  },
  // It makes numbers of what looks like one, as the id of the body may: this is the header's.
  ({ code, message, amzRequestid }) => [null, code, decoded(message), amzRequestid],
);

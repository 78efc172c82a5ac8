"use strict";

const { bucket, read, sdk, url } = require("./read_rows.js");

const OSS = sdk("ali-oss");
const client = new OSS({
  endpoint: url.origin,
  bucket,
  region: "oss-cn-hangzhou",
  accessKeyId: "id",
  accessKeySecret: "key",
  retryMax: 0,
});

read(
  {
    GetObject: (key) => client.get(key),
    PutObject: (key) => client.put(key, Buffer.from("x")),
  },
  ({ status, code, message, requestId }) => [status, code, message, requestId],
);

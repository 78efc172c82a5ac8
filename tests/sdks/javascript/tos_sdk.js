"use strict";

const { bucket, read, sdk, url } = require("./read_rows.js");

const { TosClient } = sdk("@volcengine/tos-sdk");
const client = new TosClient({
  accessKeyId: "id",
  accessKeySecret: "key",
  region: "cn-beijing",
  endpoint: url.host, // an address: path style
  secure: false,
  maxRetryCount: 0,
});
const at = (key) => ({ bucket, key });

read(
  {
    GetObject: (key) => client.getObjectV2(at(key)),
    PutObject: (key) => client.putObject({ ...at(key), body: Buffer.from("x") }),
  },
  ({ statusCode, code, message, requestId }) => [statusCode, code, message, requestId],
);

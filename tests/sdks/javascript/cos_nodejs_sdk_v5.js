"use strict";

const { read, sdk, url } = require("./read_rows.js");

const COS = sdk("cos-nodejs-sdk-v5");
// As a proxy to the hosts of the cloud.
const client = new COS({ SecretId: "id", SecretKey: "key", Protocol: "http:", Proxy: url.origin, AutoSwitchHost: false });
const at = (key) => ({ Bucket: "photos-1250000000", Region: "ap-guangzhou", Key: key });

read(
  {
    GetObject: (key) => client.getObject(at(key)),
    PutObject: (key) => client.putObject({ ...at(key), Body: "x" }),
  },
  ({ statusCode, code, message, RequestId }) => [statusCode, code, message, RequestId],
);

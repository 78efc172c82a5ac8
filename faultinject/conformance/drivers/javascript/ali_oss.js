// Alibaba Cloud's SDK for OSS, sent to the server by address, with Hosts as in the cloud.
"use strict";

const { sdk, serve } = require("./contract.js");

const OSS = sdk("ali-oss");
const BODY = Buffer.from("written by ali-oss");

serve(({ endpoint, bucket, etag }) => {
  const client = new OSS({
    endpoint,
    bucket,
    region: "oss-cn-hangzhou",
    accessKeyId: "id",
    accessKeySecret: "key",
  });
  return {
    get: (key) => client.get(key),
    put: (key) => client.put(key, BODY),
    post: (key) => client.initMultipartUpload(key),
    complete: (key) => client.completeMultipartUpload(key, key, [{ number: 1, etag }]),
  };
});

// Volcengine's SDK for TOS.
"use strict";

const { drain, sdk, serve } = require("./contract.js");

const { TosClient } = sdk("@volcengine/tos-sdk");
const BODY = Buffer.from("written by @volcengine/tos-sdk");

serve(({ endpoint, bucket, etag }) => {
  const client = new TosClient({
    accessKeyId: "id",
    accessKeySecret: "key",
    region: "cn-beijing",
    endpoint: new URL(endpoint).host, // an address: path style
    secure: endpoint.startsWith("https"),
  });
  const at = (key) => ({ bucket, key });
  const parts = [{ partNumber: 1, eTag: etag }];
  return {
    get: async (key) => drain((await client.getObjectV2(at(key))).data.content),
    put: (key) => client.putObject({ ...at(key), body: BODY }),
    post: (key) => client.createMultipartUpload(at(key)),
    complete: (key) => client.completeMultipartUpload({ ...at(key), uploadId: key, parts }),
  };
});

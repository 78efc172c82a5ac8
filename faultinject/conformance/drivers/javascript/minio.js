// MinIO's SDK.
"use strict";

const { drain, sdk, serve } = require("./contract.js");

const { Client } = sdk("minio");
const BODY = "written by minio";

serve(({ endpoint, bucket, etag }) => {
  const { hostname, port } = new URL(endpoint);
  const client = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: endpoint.startsWith("https"),
    accessKey: "id",
    secretKey: "key",
    region: "us-east-1", // or it asks for the bucket's first
  });
  return {
    get: async (key) => drain(await client.getObject(bucket, key)),
    put: (key) => client.putObject(bucket, key, BODY),
    // As a large `putObject` begins and ends.
    post: (key) => client.initiateNewMultipartUpload(bucket, key, {}),
    complete: (key) => client.completeMultipartUpload(bucket, key, key, [{ part: 1, etag }]),
  };
});

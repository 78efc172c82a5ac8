"use strict";

const { bucket, read, sdk, url } = require("./read_rows.js");

const s3 = sdk("@aws-sdk/client-s3");
const client = new s3.S3Client({
  endpoint: url.origin,
  region: "us-east-1",
  forcePathStyle: true,
  maxAttempts: 1,
  credentials: { accessKeyId: "id", secretAccessKey: "key" },
});
const at = (key) => ({ Bucket: bucket, Key: key });

/** The ids of R2 and Google are in headers that this SDK does not know, and hands on. */
function idOf({ $metadata: { requestId }, $response: { headers } }) {
  return requestId ?? headers["cf-ray"] ?? headers["x-guploader-uploadid"];
}

read(
  {
    GetObject: (key) => client.send(new s3.GetObjectCommand(at(key))),
    PutObject: (key) => client.send(new s3.PutObjectCommand({ ...at(key), Body: "x" })),
  },
  (error) => [
    error.$metadata.httpStatusCode,
    error.name,
    error.name === "Error" ? null : error.message, // how its own parser failed
    idOf(error),
  ],
);

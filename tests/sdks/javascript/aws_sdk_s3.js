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

read(
  {
    GetObject: (key) => client.send(new s3.GetObjectCommand(at(key))),
    PutObject: (key) => client.send(new s3.PutObjectCommand({ ...at(key), Body: "x" })),
  },
  ({ $metadata: told, name, message }) => [told?.httpStatusCode, name, message, told?.requestId],
);

// AWS's SDK for JavaScript, version 3.
"use strict";

const { drain, sdk, serve } = require("./contract.js");

const s3 = sdk("@aws-sdk/client-s3");
const BODY = "written by @aws-sdk/client-s3";

serve(({ endpoint, bucket, etag }) => {
  const client = new s3.S3Client({
    endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: "id", secretAccessKey: "key" },
  });
  const at = (key) => ({ Bucket: bucket, Key: key });
  const parts = { Parts: [{ PartNumber: 1, ETag: etag }] };
  return {
    get: async (key) => drain((await client.send(new s3.GetObjectCommand(at(key)))).Body),
    put: (key) => client.send(new s3.PutObjectCommand({ ...at(key), Body: BODY })),
    post: (key) => client.send(new s3.CreateMultipartUploadCommand(at(key))),
    complete: (key) =>
      client.send(new s3.CompleteMultipartUploadCommand({ ...at(key), UploadId: key, MultipartUpload: parts })),
  };
});

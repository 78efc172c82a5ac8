// Tencent Cloud's SDK for COS.
"use strict";

const { sdk, serve } = require("./contract.js");

const COS = sdk("cos-nodejs-sdk-v5");
const BODY = "written by cos-nodejs-sdk-v5";

serve(({ endpoint, bucket, etag }) => {
  const client = new COS({
    SecretId: "id",
    SecretKey: "key",
    Protocol: "http:",
    Proxy: endpoint, // with the hosts of the cloud, of which it has two
  });
  const at = (key) => ({ Bucket: bucket, Region: "ap-guangzhou", Key: key });
  return {
    get: (key) => client.getObject(at(key)),
    put: (key) => client.putObject({ ...at(key), Body: BODY }),
    post: (key) => client.multipartInit(at(key)),
    complete: (key) =>
      client.multipartComplete({ ...at(key), UploadId: key, Parts: [{ PartNumber: 1, ETag: etag }] }),
  };
});

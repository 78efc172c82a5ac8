// Huawei Cloud's SDK for OBS.
"use strict";

const { sdk, serve } = require("./contract.js");

const ObsClient = sdk("esdk-obs-nodejs");
const BODY = "written by esdk-obs-nodejs";

/** This SDK leaves it to its caller to look at the status. */
async function accepted(asked) {
  const { CommonMsg: said } = await asked;
  if (said.Status >= 300) throw new Error(`${said.Status} ${said.Code} ${said.Message}`);
}

serve(({ endpoint, bucket, etag }) => {
  const client = new ObsClient({ access_key_id: "id", secret_access_key: "key", server: endpoint });
  const at = (key) => ({ Bucket: bucket, Key: key });
  const parts = [{ PartNumber: 1, ETag: etag }];
  return {
    get: (key) => accepted(client.getObject(at(key))),
    put: (key) => accepted(client.putObject({ ...at(key), Body: BODY })),
    post: (key) => accepted(client.initiateMultipartUpload(at(key))),
    complete: (key) => accepted(client.completeMultipartUpload({ ...at(key), UploadId: key, Parts: parts })),
  };
});

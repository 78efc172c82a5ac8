// Google's SDK for Cloud Storage. Since an upload's path names only the bucket, the bucket is the call's key.
"use strict";

const { sdk, serve } = require("./contract.js");

const { Storage } = sdk("@google-cloud/storage");
const BODY = "written by @google-cloud/storage";

class Nobody {
  async getRequestHeaders() {
    return {};
  }
}

serve(({ endpoint, bucket }) => {
  const storage = new Storage({ apiEndpoint: endpoint, projectId: bucket, authClient: new Nobody() });
  return {
    get: (key) => storage.bucket(bucket).file(key).download(),
    put: (key) => storage.bucket(key).file(key).save(BODY, { resumable: false }),
    post: (key) => storage.bucket(key).file(key).createResumableUpload(),
  };
});

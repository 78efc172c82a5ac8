// Azure's SDK for Blob Storage.
"use strict";

const { drain, sdk, serve } = require("./contract.js");

const { BlobServiceClient, StorageSharedKeyCredential } = sdk("@azure/storage-blob");
const BLOCK = "AAAA"; // the one of each upload
const BODY = "written by @azure/storage-blob";

serve(({ endpoint, bucket }) => {
  const credential = new StorageSharedKeyCredential("account", "a2V5");
  const container = new BlobServiceClient(`${endpoint}/account`, credential).getContainerClient(bucket);
  return {
    get: async (key) => drain((await container.getBlobClient(key).download()).readableStreamBody),
    put: (key) => container.getBlockBlobClient(key).upload(BODY, BODY.length),
    complete: (key) => container.getBlockBlobClient(key).commitBlockList([BLOCK]),
  };
});

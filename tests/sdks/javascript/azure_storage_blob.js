"use strict";

const { bucket, read, sdk, url } = require("./read_rows.js");

const { BlobServiceClient, StorageSharedKeyCredential } = sdk("@azure/storage-blob");
const credential = new StorageSharedKeyCredential("account", "a2V5");
const options = { retryOptions: { maxTries: 1 } };
const container = new BlobServiceClient(`${url.origin}/account`, credential, options).getContainerClient(bucket);

read(
  {
    "blob.download": (key) => container.getBlobClient(key).download(),
    "block_blob.upload": (key) => container.getBlockBlobClient(key).upload("x", 1),
  },
  ({ statusCode, code, message, response }) => [
    statusCode,
    code,
    message.replace(/(?<=\nTime:).*$/, ""),
    response.headers.get("x-ms-request-id"),
  ],
);

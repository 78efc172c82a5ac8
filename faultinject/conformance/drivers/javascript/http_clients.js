// Path-style requests of clients for plain HTTP, for the drivers of those.
"use strict";

/**
 * The four calls.
 *
 * @param send sends a request: (method, url, body) => promise.
 */
exports.calls = (send) => ({ endpoint, bucket, etag }) => {
  const url = (key) => `${endpoint}/${bucket}/${key}`;
  const part = `<Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part>`;
  const document = `<CompleteMultipartUpload>${part}</CompleteMultipartUpload>`;
  return {
    get: (key) => send("get", url(key)),
    put: (key) => send("put", url(key), "written by a client for HTTP"),
    post: (key) => send("post", `${url(key)}?uploads`),
    complete: (key) => send("post", `${url(key)}?uploadId=${key}`, document),
  };
};

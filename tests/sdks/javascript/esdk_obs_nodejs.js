// It leaves it to its caller to look at the status.
"use strict";

const { bucket, read, sdk, url } = require("./read_rows.js");

const ObsClient = sdk("esdk-obs-nodejs");
const client = new ObsClient({ access_key_id: "id", secret_access_key: "key", server: url.origin, max_retry_count: 0 });
const at = (key) => ({ Bucket: bucket, Key: key });

async function accepted(asked) {
  const { CommonMsg: said } = await asked;
  if (said.Status >= 300) throw said;
}

read(
  {
    GetObject: (key) => accepted(client.getObject(at(key))),
    PutObject: (key) => accepted(client.putObject({ ...at(key), Body: "x" })),
  },
  ({ Status, Code, Message, RequestId }) => [Status, Code, Message, RequestId],
);

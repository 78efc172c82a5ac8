// It leaves it to its caller to look at the status. The key of an upload is in its body: it is said by User-Agent too.
"use strict";

const { bucket, read, sdk, url } = require("./read_rows.js");

const qiniu = sdk("qiniu");
const { Endpoint } = sdk("qiniu/qiniu/httpc/endpoint");
const { Region, SERVICE_NAME } = sdk("qiniu/qiniu/httpc/region");

const mac = new qiniu.auth.digest.Mac("id", "key");
const host = [new Endpoint(url.host, { defaultScheme: "http" })];
const services = Object.fromEntries(Object.values(SERVICE_NAME).map((name) => [name, host]));
const config = new qiniu.conf.Config({ regionsProvider: new Region({ regionId: "z0", services }), useHttpsDomain: false });

async function accepted(asked) {
  const { resp, data } = await asked;
  if (resp.statusCode >= 300) throw { resp, data };
}

read(
  {
    stat: (key) => {
      qiniu.conf.USER_AGENT = key;
      return accepted(new qiniu.rs.BucketManager(mac, config).stat(bucket, key));
    },
    upload: (key) => {
      qiniu.conf.USER_AGENT = key;
      const token = new qiniu.rs.PutPolicy({ scope: bucket }).uploadToken(mac);
      return accepted(new qiniu.form_up.FormUploader(config).put(token, key, "x", null));
    },
  },
  ({ resp, data }) => [resp.statusCode, data.error_code, data.error, resp.headers["x-reqid"]],
);

// Qiniu's SDK for Kodo: objects are read by other means, so every call is an upload by a form. Its key is in the body;
// so that its requests can be told by their path, the key is put into the addresses of the region too, of which there
// are two, as Qiniu's regions have.
"use strict";

const { sdk, serve } = require("./contract.js");

const qiniu = sdk("qiniu");
const { Endpoint } = sdk("qiniu/qiniu/httpc/endpoint");
const { Region, SERVICE_NAME } = sdk("qiniu/qiniu/httpc/region");
const BODY = "written by qiniu";

serve(({ endpoint, bucket }) => {
  const [scheme, host] = endpoint.split("://");
  const mac = new qiniu.auth.digest.Mac("id", "key");
  const put = async (key) => {
    const hosts = [0, 1].map(() => new Endpoint(`${host}/${key}`, { defaultScheme: scheme }));
    const regionsProvider = new Region({ regionId: "z0", services: { [SERVICE_NAME.UP]: hosts } });
    const uploader = new qiniu.form_up.FormUploader(new qiniu.conf.Config({ regionsProvider, useHttpsDomain: scheme === "https" }));
    const token = new qiniu.rs.PutPolicy({ scope: bucket }).uploadToken(mac);
    const { resp, data } = await uploader.put(token, key, BODY, null);
    if (!resp || resp.statusCode >= 300) throw new Error(`${resp?.statusCode} ${JSON.stringify(data)}`);
  };
  return { get: put, put };
});

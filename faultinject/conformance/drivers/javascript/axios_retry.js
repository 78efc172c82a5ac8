// axios with axios-retry.
"use strict";

const { sdk, serve } = require("./contract.js");
const { calls } = require("./http_clients.js");

const { default: axios } = sdk("axios");
const { default: axiosRetry } = sdk("axios-retry");

serve((first) => {
  const client = axios.create({ proxy: false });
  axiosRetry(client);
  return calls((method, url, data) => client.request({ method, url, data }))(first);
});

// got, which tries again by itself.
"use strict";

const { sdk, serve } = require("./contract.js");
const { calls } = require("./http_clients.js");

const { got } = sdk("got");

serve(calls((method, url, body) => got(url, { method, body })));

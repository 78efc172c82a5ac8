"""The control API: an injector looked at and changed while its apps run, by HTTP, and a page for people on it.

It is off unless asked for (`FAULTINJECT_CONTROL`). `mount` puts it below a path of an app, `server` on an address of its own;
`app` answers what `guard` lets through, by the one table of calls in `calls`.
"""

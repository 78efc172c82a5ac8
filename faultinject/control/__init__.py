"""The control API: it shows and changes an injector over HTTP while its apps run.

It has a page for people, and is off unless asked for (`FAULTINJECT_CONTROL`). `mount` puts it below a path of an app,
`server` on an address of its own. `api` answers the requests; `calls` has the table of all calls.
"""

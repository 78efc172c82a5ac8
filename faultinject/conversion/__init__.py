"""Faults of other tools as rules, and rules in the formats of other tools; what cannot be converted is reported.

`formats` lists them, one module each. `remarks` holds what is reported, `document` reads a foreign text so that no key of it
is forgotten, `proxy_rules` has a rule in the form that proxies share.
"""

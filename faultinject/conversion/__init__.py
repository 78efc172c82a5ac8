"""Faults of other tools as rules, and rules in the formats of other tools.

Everything that cannot be converted is reported. `formats` lists the formats, one module each. `document` reads a
foreign text so that no key of it is forgotten, and holds the reports; `proxy_rules` has a rule in the form that
proxies share.
"""

"""Faults of other tools as rules, and rules in the formats of other tools.

Everything that cannot be converted is reported. `formats` lists the formats, which have a module each. `document`
reads the text of another tool, reports each key that is not converted, and holds the reports. `proxy_rules` translates
a rule into the form that all proxies share.
"""

"""What other tools say of faults, as rules, and rules as other tools say them; what cannot be said is named.

`formats` lists them, one module each. `remarks` is what is told of the way, `document` how a foreign text is read so that no key of
it is forgotten, `proxy_rules` a rule as a proxy can be told of it.
"""

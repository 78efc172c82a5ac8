"""Turns the errors of an access log into a scenario with the same mix.

`formats` reads lines, `tallies` counts them, `windows` finds the times at which a share changed, `writing` makes
rules.
"""

"""What an access log tells of a service's errors, as a scenario that has the same mix of them.

`formats` reads lines, `tallies` counts them, `windows` finds when a share changed, `writing` says it as rules.
"""

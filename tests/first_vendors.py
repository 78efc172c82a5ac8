"""Vendors that stand for all where each of them would take too long: their tables have all that a table can have."""

FIRST_VENDORS = ("cos", "gateway", "jss", "qingstor", "qiniu-mix")

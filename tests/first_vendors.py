"""The vendors that stand for all in long tests, because their tables have every feature."""

FIRST_VENDORS = ("cos", "gateway", "jss", "qingstor", "qiniu-mix")

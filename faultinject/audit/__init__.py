"""The verdict: evidence, checks, profiles and reports. It only reads the journal, and no request waits for it."""

from faultinject.faces import face

__getattr__, __all__ = face(__name__, group="grouping", judge="judging", judge_run="judging")

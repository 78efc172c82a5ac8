"""The worst that a pattern within the limits can cost on the worst path."""

from collections.abc import Callable
from statistics import median

from measure import Block, Goal, Row, side_by_side

from faultinject.http.patterns import check_pattern, compile_path, compile_plain

SIZE = 8192


CASES = {
    "stars in one segment": (f"/{'a*' * 16}b", "/" + "a" * (SIZE - 1)),
    "question marks between stars": (f"/{'*?a' * 16}b", "/" + "a" * (SIZE - 1)),
    "`**` and letters": (f"/{'**/a*/' * 5}b", "/a" * (SIZE // 2)),
    "`**` and empty segments": (f"/{'**/*/' * 5}b", "/" * SIZE),
    "32 segments": (f"/**/{'?/' * 15}{'*/' * 14}b", "/a" * (SIZE // 2)),
    "plain": ("*a" * 16 + "b", "a" * SIZE),
    "long pieces": (f"/{'*' + 'a' * 60}" * 15, ("/" + "a" * 546) * 15),
}
"""Pattern and path by what is bad about them."""


def _block(test: Callable[[str], bool], path: str) -> Block:
    def block(count: int) -> None:
        for _ in range(count):
            test(path)

    return block


def run() -> list[Row]:
    blocks = {}
    for name, (pattern, path) in CASES.items():
        assert check_pattern(pattern) is None, (name, check_pattern(pattern))
        blocks[name] = _block((compile_plain if name == "plain" else compile_path)(pattern), path)
    sample = side_by_side(blocks, rounds=21, milliseconds=8)
    worst = max(blocks, key=lambda name: median(sample.times[name]))
    values = [nanoseconds / 1e6 for nanoseconds in sample.times[worst]]
    case = "worst pattern, 16 stars, 32 segments, path of 8 KiB"
    return [sample.row(case, "–", Goal("≤", 20, "ms"), values, note=worst)]

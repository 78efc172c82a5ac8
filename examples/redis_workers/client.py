"""Store photos through both servers at once, and count the answers.

`python -m redis_workers.client [PORT PORT]`
"""

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

REQUESTS = 500


def store(port: int, requests: int = REQUESTS) -> Counter[tuple[int, str]]:
    """Send requests one after another, each on its own connection; count status and answer."""
    found: Counter[tuple[int, str]] = Counter()
    for number in range(requests):
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", f"/photos/{number}")
        answer = connection.getresponse()
        found[answer.status, answer.read().decode()] += 1
        connection.close()
    return found


def main(ports: list[int], requests: int = REQUESTS) -> str:
    """Two clients for each server; gives what came of it."""
    with ThreadPoolExecutor(2 * len(ports)) as pool:
        answers = sum(pool.map(store, 2 * ports, [requests] * 2 * len(ports)), Counter[tuple[int, str]]())
    statuses: Counter[int] = Counter()
    for (status, _), number in answers.items():
        statuses[status] += number
    processes = {text for status, text in answers if status == 201}
    told = ", ".join(f"{number} answers {status}" for status, number in sorted(statuses.items()))
    return f"{told}, by {len(processes)} processes"


if __name__ == "__main__":
    print(main([int(each) for each in sys.argv[1:]] or [8000, 8001]))  # noqa: T201

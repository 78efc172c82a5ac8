"""Ids are unique in a run; that they are the same in a replay is proved beside the engine."""

from concurrent.futures import ThreadPoolExecutor

from faultinject import vendors


def ids_of(answer):
    """Both ids of an answer of COS."""
    return [answer.header(name) for name, _ in vendors.get("cos").id_headers]


def test_unique_over_many_answers(send, inject_with):
    """Of 400 answers, to the same requests and from two injectors, no two share an id.

    The injectors have one seed. That 2,000 draws give 2,000 ids is proved beside the vendors for each of them; the
    numbering is the same for all.
    """
    injectors = [inject_with("cos:@all", seed="same") for _ in range(2)]
    seen = []
    for number in range(200):
        for injector in injectors:
            answer = send(injector, "HEAD" if number % 10 == 0 else "GET", f"/photos/{number % 50}")
            seen += ids_of(answer)
    assert len(seen) == len(set(seen)) == 2 * 2 * 200


def test_unique_across_threads(send, inject_with):
    """Sixteen threads that ask for one object get 200 different ids."""
    injector = inject_with("cos:@all")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: send(injector, "GET", "/photos/same"), range(200)))
    assert len({ids_of(answer)[0] for answer in answers}) == 200

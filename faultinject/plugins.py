"""Names for packages that add vendors, faults, stores of counts or embedded stores.

They are as stable as the names of `faultinject`. Each is loaded on first use.
"""

from __future__ import annotations

from faultinject.faces import face

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.counts.memory import MemoryCounts
    from faultinject.counts.store import Store
    from faultinject.engine.actions import Act, Action, Disconnect, Forward
    from faultinject.engine.answers import Answer, Respond
    from faultinject.engine.compiled_rule import CompiledRule
    from faultinject.engine.counting import Counts, MatchKey, Number, Take
    from faultinject.engine.entry import Entry
    from faultinject.engine.filters import Filter
    from faultinject.engine.request import Request
    from faultinject.rules.faults.fault import Fault
    from faultinject.rules.rule import Rule
    from faultinject.rules.values import Mistake
    from faultinject.store.call import Dialect
    from faultinject.store.stores import STORES, VendorStore
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.envelopes import Form
    from faultinject.vendors.multi_delete import Deletes
    from faultinject.vendors.vendor import Vendor

__all__ = [
    "STORES",
    "Act",
    "Action",
    "Answer",
    "CompiledRule",
    "Counts",
    "Deletes",
    "Dialect",
    "Disconnect",
    "DocumentedError",
    "Entry",
    "Fault",
    "Filter",
    "Form",
    "Forward",
    "MatchKey",
    "MemoryCounts",
    "Mistake",
    "Number",
    "Request",
    "Respond",
    "Rule",
    "Store",
    "Take",
    "Vendor",
    "VendorStore",
]

if not TYPE_CHECKING:  # with `__getattr__`, a type checker would accept any name
    __getattr__, _ = face(
        __name__,
        "faultinject",
        STORES="store.stores",
        Act="engine.actions",
        Action="engine.actions",
        Answer="engine.answers",
        CompiledRule="engine.compiled_rule",
        Counts="engine.counting",
        Deletes="vendors.multi_delete",
        Dialect="store.call",
        Disconnect="engine.actions",
        DocumentedError="vendors.documented",
        Entry="engine.entry",
        Fault="rules.faults.fault",
        Filter="engine.filters",
        Form="vendors.envelopes",
        Forward="engine.actions",
        MatchKey="engine.counting",
        MemoryCounts="counts.memory",
        Mistake="rules.values",
        Number="engine.counting",
        Request="engine.request",
        Respond="engine.answers",
        Rule="rules.rule",
        Store="counts.store",
        Take="engine.counting",
        Vendor="vendors.vendor",
        VendorStore="store.stores",
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

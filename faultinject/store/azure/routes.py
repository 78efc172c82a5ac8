"""Azure Blob Storage: which request is which operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from faultinject.store.azure import blobs, containers
from faultinject.store.azure.call import AzureCall as AzureCall
from faultinject.store.azure.call import refuse_absent
from faultinject.store.buckets import StoreError
from faultinject.store.exchange import Answer

ROUTES: Mapping[tuple[str, str, str], Callable[[AzureCall], Answer]] = {
    ("account", "GET", "list"): containers.list_containers,
    ("container", "PUT", ""): containers.create_container,
    ("container", "GET", ""): containers.get_container,
    ("container", "HEAD", ""): containers.get_container,
    ("container", "GET", "metadata"): containers.get_container,
    ("container", "HEAD", "metadata"): containers.get_container,
    ("container", "PUT", "metadata"): containers.set_container_metadata,
    ("container", "DELETE", ""): containers.delete_container,
    ("container", "GET", "list"): containers.list_blobs,
    ("blob", "PUT", ""): blobs.put_blob,
    ("blob", "GET", ""): blobs.get_blob,
    ("blob", "HEAD", ""): blobs.get_blob,
    ("blob", "DELETE", ""): blobs.delete_blob,
    ("blob", "PUT", "metadata"): blobs.set_metadata,
    ("blob", "GET", "metadata"): blobs.get_blob,
    ("blob", "HEAD", "metadata"): blobs.get_blob,
    ("blob", "PUT", "properties"): blobs.set_properties,
    ("blob", "PUT", "appendblock"): blobs.append_block,
    ("blob", "PUT", "block"): blobs.put_block,
    ("blob", "PUT", "blocklist"): blobs.put_block_list,
    ("blob", "GET", "blocklist"): blobs.get_block_list,
}
"""By what the request names, method and `comp`."""

LEASELESS = (containers.list_containers, containers.create_container, containers.list_blobs)
"""Operations that ignore the id of a lease."""
MAKING = (blobs.put_blob, blobs.put_block, blobs.put_block_list)
"""Operations on a blob that need not be there."""
COMPS = frozenset(comp for _, _, comp in ROUTES)
ABSENT = frozenset(
    "acl batch blobs copy delegationkey expiry immutabilityPolicies incrementalcopy lease legalhold page"
    " pagelist query rename seal snapshot stats tags tier undelete userdelegationkey".split()
)
"""Values of `comp` that the service has and this store has not."""


def perform(call: AzureCall) -> Answer:
    """Do what the request asks for.

    Raises:
        StoreError: it asks for something that cannot be, or that the store has not.
    """
    if not call.valid:
        raise StoreError("uri")
    if call.level == "container" and call.request.args.get("restype") != "container":
        raise StoreError("not_implemented", "the embedded store does not support the container $root")
    if call.bucket:
        call.service.buckets.check_name(call.bucket)
    comp = call.request.args.get("comp", "")
    if comp in ABSENT or (call.level == "account" and comp == "properties"):
        raise StoreError("not_implemented", f"the embedded store does not support comp={comp}")
    refuse_absent(call)
    if comp not in COMPS:
        raise StoreError("argument")
    operation = ROUTES.get((call.level, call.request.method, comp))
    if operation is None:
        raise StoreError("method")
    if operation not in LEASELESS:
        call.refuse_lease(made=operation in MAKING)
    return operation(call)

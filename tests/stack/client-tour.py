"""Takes every operation of the API at $API by the client that was made of openapi.yaml, and looks into the typed answers."""

import os
import pkgutil
from importlib import import_module

import strata_client.api
from strata_client import AuthenticatedClient
from strata_client.models import (
    Batch,
    BatchOperation,
    BatchOperationOp,
    ConfigUpdate,
    Deleted,
    Error,
    ErrorBodyCode,
    GetStatsSeparator,
    Invalidate,
    InvalidationState,
    JobState,
    L1Config,
    Level,
    Level1Status,
    Level2Status,
    Level3Status,
    Patch,
    PatchOnly,
    Put,
    PutEntryIfNoneMatch,
    Reason,
    Strategy,
    Warm,
)

KEY = "tenant/7/customer:12345"
client = AuthenticatedClient(base_url=os.environ["API"], token=os.environ["TOKEN"])


def operations():
    """The operations that the client has, by name."""
    groups = (import_module(f"strata_client.api.{group.name}") for group in pkgutil.iter_modules(strata_client.api.__path__))
    return {
        module.name: import_module(f"{group.__name__}.{module.name}")
        for group in groups
        for module in pkgutil.iter_modules(group.__path__)
    }


todo = operations()
untaken = set(todo)


def take(name, *arguments, **named):
    """The typed answer to an operation."""
    untaken.discard(name)
    return todo[name].sync(*arguments, client=client, **named)


def refused(name, *arguments, **named):
    """The code of the error that answers an operation."""
    answer = take(name, *arguments, **named)
    assert isinstance(answer, Error), answer
    return answer.error.code


def entries(suffix):
    """One entry: stored, read, stored again under a condition, deleted."""
    put = Put(value={"name": "John Doe", "balance": 1.5}, ttl_seconds=60, tags=["customer"], cache_levels=list(Level))
    assert Level.L3_DATABASE in take(f"put_entry{suffix}", key=KEY, body=put).metadata.levels_stored
    found = take(f"get_entry{suffix}", key=KEY)
    assert (found.key, found.value) == (KEY, put.value), found
    assert found.metadata.expires_at > found.metadata.created_at
    untaken.discard(f"head_entry{suffix}")
    assert todo[f"head_entry{suffix}"].sync_detailed(key=KEY, client=client).status_code == 200
    assert take(f"patch_entry{suffix}", key=KEY, body=Patch(ttl_seconds=7200, only=PatchOnly.LONGER)).changed
    absent = PutEntryIfNoneMatch.VALUE_0
    assert refused(f"put_entry{suffix}", key=KEY, body=put, if_none_match=absent) == ErrorBodyCode.PRECONDITION_FAILED
    assert isinstance(take(f"delete_entry{suffix}", key=KEY), Deleted)
    missing = take(f"get_entry{suffix}", key=KEY).error
    assert (missing.code, missing.details["key"]) == (ErrorBodyCode.CACHE_KEY_NOT_FOUND, KEY), missing
    take(f"put_entry{suffix}", key=KEY, body=Put(value=None))


def bulk():
    """Many entries: counted, invalidated, brought back, loaded."""
    counted = take("invalidate", body=Invalidate(pattern="tenant/7/*", dry_run=True))
    assert (counted.invalidated_count, counted.sample_keys) == (1, [KEY]), counted
    both = Invalidate(pattern="tenant/7/*", tags=["customer"])
    assert refused("invalidate", body=both) == ErrorBodyCode.INVALID_REQUEST
    assert take("invalidate", body=Invalidate(tags=["customer"], reason="tour")).invalidated_count == 0
    operations = [
        BatchOperation(op=BatchOperationOp.PUT, key=f"{KEY}:1", value=[1], ttl_seconds=60),
        BatchOperation(op=BatchOperationOp.GET, key=KEY),
    ]
    stored, found = take("batch", body=Batch(operations=operations)).results
    assert (stored.status, found.status, found.found, found.value) == (201, 200, True, None), (stored, found)
    assert take("invalidate", body=Invalidate(keys=[f"{KEY}:1"], except_tags=["pinned"])).invalidated_count == 1
    assert take("explain", key=f"{KEY}:1").reason == Reason.INVALIDATED_BY_KEY
    removed = take("invalidate", body=Invalidate(keys=[KEY], reason="a mistake", undo_seconds=60))
    undone = take("undo_invalidation", removed.invalidation_id)
    assert (undone.restored, undone.overwritten, undone.expired) == (1, 0, 0), undone
    last = take("list_invalidations", limit=10).invalidations[0]
    assert (last.invalidation_id, last.state) == (removed.invalidation_id, InvalidationState.UNDONE), last
    listed = take("list_keys", prefix="tenant/7/", limit=10)
    assert [line.key for line in listed.keys] == [KEY], listed
    assert take("list_tags", prefix="customer").tags == []
    assert take("get_stats", separator=GetStatsSeparator.VALUE_1).depth == 1
    started = take("start_warming", body=Warm(keys=[KEY], strategy=Strategy.SCHEDULED), idempotency_key="tour")
    assert take("get_job", started.warming_job_id).state == JobState.SCHEDULED
    assert started.warming_job_id in [job.job_id for job in take("list_jobs").jobs]
    assert take("cancel_job", started.warming_job_id).state == JobState.CANCELLED


def operation():
    """The state, the journal, the configuration."""
    status = take("get_status")
    assert [type(level) for level in status.levels] == [Level1Status, Level2Status, Level3Status], status.levels
    assert KEY in [mutation.key for mutation in take("list_mutations", limit=1000).mutations]
    before = take("get_config")
    changed = take("update_config", body=ConfigUpdate(l1_config=L1Config(ttl_minutes=90)))
    assert changed.updated_fields == ["l1_config.ttl_minutes"], changed
    # What is shown may be sent back: it is one document.
    restored = take("update_config", body=ConfigUpdate.from_dict(before.to_dict()))
    assert restored.updated_fields == ["l1_config.ttl_minutes"], restored


entries("")
entries("_by_query")
bulk()
operation()
assert not untaken, f"not taken: {untaken}"
print(f"{len(todo)} operations taken by a client that was made of openapi.yaml")

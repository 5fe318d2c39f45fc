"""What docs/clients.md shows, as it stands there."""

import os

from strata_client import AuthenticatedClient
from strata_client.api.bulk import invalidate
from strata_client.api.entries import get_entry, put_entry
from strata_client.models import Error, Invalidate, Put

client = AuthenticatedClient(base_url=os.environ["API"], token=os.environ["TOKEN"])
stored = put_entry.sync("customer:12345", client=client, body=Put(value={"name": "John Doe"}, tags=["customer"]))
print(stored.metadata.levels_stored)
found = get_entry.sync("customer:12345", client=client)
print(found.error.code if isinstance(found, Error) else found.value["name"])
print(invalidate.sync(client=client, body=Invalidate(pattern="customer:*")).invalidated_count)

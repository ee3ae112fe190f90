"""A program that uses the client which openapi-python-client has made, in a Python of its own."""

import sys
import time
from typing import TypeVar

from housekeeping_client import AuthenticatedClient, Client
from housekeeping_client.api.housekeeping import (
    change_hold,
    change_policy,
    create_hold,
    delete_hold,
    get_hold,
    get_run_result,
    list_holds,
    trigger,
    undo_run,
)
from housekeeping_client.api.tokens import create_token
from housekeeping_client.models import (
    ChangedPolicy,
    CredentialsRequest,
    Ended,
    Hold,
    HoldChangeRequest,
    HoldPage,
    HoldRequest,
    PolicyRequest,
    Problem,
    Run,
    RunStatus,
    Standing,
    TokenPair,
    TriggerRequest,
    TriggerRequestTask,
    UndoRequest,
)

Kind = TypeVar("Kind")


def must(answer: object, kind: type[Kind]) -> Kind:
    assert isinstance(answer, kind), answer
    return answer


def main(site: str, name: str, password: str, row: str) -> None:
    credentials = CredentialsRequest(username=name, password=password)
    pair = must(create_token.sync(client=Client(base_url=site), body=credentials), TokenPair)
    client = AuthenticatedClient(base_url=site, token=pair.access)

    asked = TriggerRequest(task=TriggerRequestTask.CONVERSATIONS, wait=0.0)
    run = must(trigger.sync(client=client, body=asked, idempotency_key="once"), Standing).run
    while run.status in (RunStatus.QUEUED, RunStatus.RUNNING):
        time.sleep(0.2)
        run = must(get_run_result.sync(run.id, client=client), Run)
    assert run.result, run
    assert run.result.additional_properties == {"deleted_conversations": 1}

    undone = must(undo_run.sync(run.id, client=client, body=UndoRequest(wait=30.0)), Ended)
    assert undone.run.undo_of == run.id

    hold = HoldRequest(model="chat.Conversation", key=row, reason="A dispute")
    made = must(create_hold.sync(client=client, body=hold), Hold)
    read = get_hold.sync_detailed(made.id, client=client)
    known = read.headers["ETag"]
    change = HoldChangeRequest(reason="A dispute, number 7")
    must(change_hold.sync(made.id, client=client, body=change, if_match=known), Hold)
    stale = must(change_hold.sync(made.id, client=client, body=change, if_match=known), Problem)
    assert stale.code == "precondition_failed"
    held = must(list_holds.sync(client=client, model="chat.Conversation", key=row), HoldPage)
    assert "A dispute, number 7" in [one.reason for one in held.results]
    assert delete_hold.sync_detailed(made.id, client=client).status_code == 204

    changed = change_policy.sync(
        "conversations", client=client, body=PolicyRequest(retention_days=60, dry_run=True)
    )
    assert must(changed, ChangedPolicy).effect.retention_days == 60
    assert must(get_hold.sync(10**9, client=client), Problem).code == "not_found"


if __name__ == "__main__":
    main(*sys.argv[1:])

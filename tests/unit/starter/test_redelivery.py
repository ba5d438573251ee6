"""After an unclean stop of the local Temporal server."""

import pytest
from sqlmodel import Session

from starter.mistakes import Mistake
from starter.redelivery import redeliver_last_minutes
from starter.settings import Settings
from starter.stack_specs import local_specs
from store.database import Database
from store.inbox import Inbox, add_delivery, mark_routed
from store.replay import Replayed
from store.streams import Answer, finish, lease, number
from store.tables import DeliveryRow, LifecycleRow
from tests.stores import lay


async def test_its_last_minutes_are_delivered_again(settings: Settings) -> None:
    settings.state_path.mkdir(parents=True)
    [temporal] = [spec for spec in local_specs(settings, time_travel=False) if spec.name == "temporal"]
    assert temporal.after_unclean_stop is not None
    assert temporal.after_unclean_stop() == Replayed(0, 0, 0), "there is no store yet"
    assert not (settings.state_path / "store.db").exists()

    lay(settings.database_url)
    assert temporal.after_unclean_stop() == Replayed(0, 0, 0), "nothing was ever delivered"
    database = Database(settings.database_url)
    await Inbox(database).accept("cs", "e1", "t", "c", "{}")

    def deliver(session: Session) -> None:
        life = LifecycleRow(contract="c", tenant="t", account="a", deal="d", selling_entity="s", workflow_id="w")
        session.add(life)
        mark_routed(session, 1)
        add_delivery(session, 1, "c", "tell", {})
        fence = lease(session, "c", "me", 5)
        assert fence is not None
        number(session, "c", fence)
        finish(session, "c", fence, {1: Answer("delivered")})

    await database.write(deliver)
    assert temporal.after_unclean_stop() == Replayed(1, 1, 0)
    row = await database.read(lambda session: session.get(DeliveryRow, 1))
    assert row is not None
    assert (row.state, row.seq) == ("pending", 1)
    database.close()


def test_a_store_that_does_not_answer_is_one_clear_line(settings: Settings) -> None:
    settings.state_path.mkdir(parents=True)
    (settings.state_path / "store.db").mkdir()
    with pytest.raises(Mistake, match="last minutes can't be delivered again"):
        redeliver_last_minutes(settings)

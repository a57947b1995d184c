"""Visits to members' links."""

from datetime import datetime

from referralhub.database import insert, transaction
from referralhub.models import Channel, VisitDaily


def count(profile_id: int, channel: Channel, new_visitor: bool, now: datetime) -> None:
    """Add one visit to the day's row; `new_visitor` is false when this browser came by this link today."""
    visitors = int(new_visitor)
    statement = insert(VisitDaily).values(
        profile_id=profile_id, day=now.date(), channel=channel, visits=1, visitors=visitors, bots=0
    )
    with transaction() as session:
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["profile_id", "day", "channel"],
                set_={"visits": VisitDaily.visits + 1, "visitors": VisitDaily.visitors + visitors},
            )
        )

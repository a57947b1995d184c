"""What a product does with a client that was generated from the document; run by a test.

The folder that the client is in is the first argument; BASE_URL and KEY say where.
"""

import os
import sys

sys.path.insert(0, sys.argv[1])

from client import AuthenticatedClient
from client.api.codes import look_up
from client.api.members import adjust_balance, erase_member, get_member, list_entries, list_members, put_member
from client.api.program import change_program, get_growth, get_program
from client.api.referrals import confirm_referral, list_all_referrals
from client.models import (
    AdjustmentIn,
    DecisionIn,
    MemberIn,
    MemberOut,
    MemberWithFiguresOut,
    Problem,
    ProgramIn,
    ProgramOut,
    ReferralState,
)

asking = AuthenticatedClient(os.environ["BASE_URL"], token=os.environ["KEY"], raise_on_unexpected_status=True)

made = put_member.sync("42", client=asking, body=MemberIn(name="Bo", email="bo@example.com"))
assert isinstance(made, MemberOut), made
assert look_up.sync(made.code, client=asking).referrer == "Bo"
gift = AdjustmentIn(amount=50, reason="a gift")
entries = [adjust_balance.sync("42", client=asking, body=gift, idempotency_key="one") for _ in range(2)]
assert entries[0] == entries[1], entries
found = get_member.sync("42", client=asking)
assert isinstance(found, MemberWithFiguresOut), found
assert found.statistics.rewards == 50, found
assert [each.amount for each in list_entries.sync("42", client=asking).entries] == [50]
assert list_members.sync(client=asking, active=True, created_from=made.created).members[0].external_id == "42"

before = get_program.sync(client=asking)
assert isinstance(before, ProgramOut), before
after = change_program.sync(client=asking, body=ProgramIn(made_from=before.version, referrer_amount=20))
assert (after.version, after.referrer_amount, after.tiers) == (before.version + 1, 20, before.tiers), after
stale = change_program.sync(client=asking, body=ProgramIn(made_from=before.version, referrer_amount=30))
assert isinstance(stale, Problem) and stale.code == "version_superseded", stale

assert list_all_referrals.sync(client=asking, state=ReferralState.HELD).referrals == []
nothing = confirm_referral.sync(1, client=asking, body=DecisionIn(reason="we know them"))
assert isinstance(nothing, Problem) and nothing.code == "no_such_referral", nothing
assert get_growth.sync(client=asking).members == 1
erased = erase_member.sync_detailed("42", client=asking)
assert erased.status_code == 204, erased
gone = get_member.sync("42", client=asking)
assert isinstance(gone, Problem) and gone.code == "no_such_member", gone
sys.stdout.write("done")

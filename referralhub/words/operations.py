"""What the doctor and a recount found, in words."""

from typing import NamedTuple

from referralhub.services.ledger.recount import Drift
from referralhub.services.operations.doctor import Remark
from referralhub.words.text import Text, fill

UPGRADE = "Run `flask --app wsgi db upgrade`."
CLOCKS = "Let all machines keep time by NTP, such as systemd-timesyncd or chrony."
WORKER = "Run `flask --app wsgi worker` beside the web server, as the Procfile does."


class RemarkText(NamedTuple):
    """What is wrong, and what to do about it."""

    wrong: Text
    remedy: str


REMARKS = {
    "setting": RemarkText("{setting} {wrong}.", "{remedy}."),
    "development_in_public": RemarkText(
        "This is a development server, but its address {host} is public: anybody can read all mail.",
        "Set REFERRALHUB_ENV=production.",
    ),
    "debugging": RemarkText("Debugging is on: errors show the program's insides.", "Unset FLASK_DEBUG."),
    "database_not_chosen": RemarkText(
        "DATABASE_URL is unset, so that everything is kept in a SQLite file in the instance folder.",
        "Set DATABASE_URL: to postgresql://…, or to sqlite:///… where one file on one machine is what you want.",
    ),
    "cookies_unencrypted": RemarkText(
        "BASE_URL begins with http:, so that cookies are sent unencrypted and can be stolen.",
        "Serve the site by https, and set BASE_URL to that address.",
    ),
    "no_trusted_proxies": RemarkText(
        "TRUSTED_PROXIES is 0: if a proxy does the https, all visitors seem to come from its address.",
        "Set TRUSTED_PROXIES to the number of proxies in front, usually 1.",
    ),
    "too_many_trusted_proxies": RemarkText(
        "TRUSTED_PROXIES is {believed}, and requests come through {found}: whoever wants to seems to come from any "
        "address, and everybody else from the proxy's.",
        "Set TRUSTED_PROXIES to the number of proxies in front, usually 1.",
    ),
    "too_few_trusted_proxies": RemarkText(
        "TRUSTED_PROXIES is {believed}, and every request of the last hour named more addresses: if there are "
        "more proxies, all visitors seem to come from the address of one.",
        "Count the proxies in front, and set TRUSTED_PROXIES to their number.",
    ),
    "mail_to_files": RemarkText(
        "MAIL_URL is file:, so that no mail reaches anybody.",
        "Set MAIL_URL to your mail server: smtp://user:password@host:587?tls=1",
    ),
    "mail_server_refuses": RemarkText(
        "No mail can be handed over to {host}: {error}",
        "Correct MAIL_URL or what it names: ?tls=1 is for STARTTLS, mostly at port 587, smtps:// for port 465.",
    ),
    "mail_folder_refuses": RemarkText(
        "No mail can be handed over to its folder: {error}", "Correct MAIL_URL or what it names."
    ),
    "provider_away": RemarkText(
        "The provider that admins sign in with does not say of itself what it must: {error}",
        "Open OIDC_DISCOVERY_URL in a browser. Its `issuer` must be that address without the end that all "
        "such addresses have.",
    ),
    "database_away": RemarkText("The database does not answer: {error}", "Start it, or correct DATABASE_URL."),
    "database_file_away": RemarkText(
        "The database does not answer: {error}",
        f"{UPGRADE} That makes the file of a new installation; else put back the one there was.",
    ),
    "database_clock_differs": RemarkText(
        "The database server's clock differs from this machine's by {seconds} seconds.", CLOCKS
    ),
    "database_is_newer": RemarkText(
        "The database is at {revisions}, which this version does not know.",
        "A newer version was here: install that one again, or restore a backup from before it.",
    ),
    "migrations_pending": RemarkText("The database is not up to date: migrations are pending.", UPGRADE),
    "redis_away": RemarkText(
        "Redis does not answer: {error}",
        "Start it, or correct REDIS_URL. Where that is unset, `make run` or `python -m referralhub.launch` starts one.",
    ),
    "redis_certificate_unknown": RemarkText(
        "Redis' certificate is vouched for by nobody whom this machine trusts: {error}",
        "Add ?ssl_ca_certs=FILE to REDIS_URL, with the provider's own authority in the file; where there is none to be "
        "had, ?ssl_cert_reqs=none takes any certificate.",
    ),
    "redis_loading": RemarkText("Redis was started a moment ago and still loads.", "Wait until it has read its file."),
    "redis_not_let_in": RemarkText(
        "Redis does not let us in: {error}",
        "Correct the user name and the password in REDIS_URL, or what its user may do: all keys, and scripts.",
    ),
    "redis_cluster_not_supported": RemarkText(
        "REDIS_URL names a Redis Cluster, which is not supported, even of one node.",
        "Name a server by itself (`cluster-enabled no`), or sentinel://… for one with replicas.",
    ),
    "redis_too_old": RemarkText("REDIS_URL names a Redis before version 6.", "Let it name a newer Redis, or a Valkey."),
    "redis_read_only": RemarkText(
        "Redis cannot be written to, as a replica cannot: {error}",
        "Let REDIS_URL name the primary, or the Sentinels: sentinel://host:port,host:port/service/db",
    ),
    "redis_full": RemarkText("Redis is full: {error}", "Give it more memory (`maxmemory`)."),
    "redis_refuses": RemarkText(
        "Redis answers, but refuses what every page needs: {error}",
        "Let it run scripts that write several keys, and see what it logs. It must be Redis, Valkey or the like.",
    ),
    "redis_evicts": RemarkText(
        "When Redis is full it throws away what it was given ({policy}), sessions and followed links among it.",
        "Set `maxmemory-policy noeviction`, and keep an eye on its memory.",
    ),
    "redis_clock_differs": RemarkText(
        "The Redis server's clock differs from this machine's by {seconds} seconds.", CLOCKS
    ),
    "worker_silent": RemarkText(
        "The worker gave no sign of life since {since} UTC: no mail is sent, and figures fall behind.", WORKER
    ),
    "worker_never_seen": RemarkText(
        "The worker gave no sign of life yet: no mail is sent, and figures fall behind.", WORKER
    ),
    "mail_overdue": RemarkText(
        "Mail should have been sent {minutes} minutes ago; {waiting} messages wait.",
        "See that the worker runs, and what it logs.",
    ),
    "dead_letters": RemarkText(
        "{messages} messages could not be delivered.",
        "`flask --app wsgi mail dead` says why, `mail resend` sends them again.",
    ),
    "webhooks_overdue": RemarkText(
        "Webhooks should have been sent {minutes} minutes ago; {waiting} wait.",
        "See that the worker runs, and what it logs.",
    ),
    "webhooks_failing": RemarkText(
        "{endpoints} of the addresses of webhooks failed last.",
        "`flask --app wsgi webhooks list` names them, `webhooks deliveries ID` has what they answered.",
    ),
    "webhooks_off": RemarkText(
        "{endpoints} of the addresses of webhooks are switched off.",
        "Once what they answered is mended, switch them on in the panel, and `flask --app wsgi webhooks replay` what "
        "is missing.",
    ),
    "webhooks_given_up": RemarkText(
        "{messages} webhooks could not be delivered.",
        "`flask --app wsgi webhooks deliveries ID` says why, `webhooks replay` sends them again.",
    ),
    "webhooks_to_private_addresses": RemarkText(
        "Webhooks go to private addresses too, so that whoever enters one reaches what is in this network.",
        "Unset WEBHOOK_PRIVATE_ADDRESSES unless the product is in the same network.",
    ),
    "events_without_member": RemarkText(
        "{events} signups of the last 30 days wait for a member with the code that they name, the oldest since {since} "
        "UTC.",
        "`flask --app wsgi events list --kept` names them. Codes that customers type can be wrong; where a member is "
        "missing, put them, and they are used within minutes.",
    ),
    "refunds_without_purchase": RemarkText(
        "{events} refunds of the last 30 days wait for a purchase that was not told, the oldest since {since} UTC.",
        "`flask --app wsgi events list --kept` names them. Tell of each purchase under the number that `refund_of` "
        "has.",
    ),
    "events_silent": RemarkText(
        "No event of type {type} came since {since} UTC, and {events} in the week before.",
        "See what the product logs of the API's answers. In the panel, Connection has when each key was last used, and "
        "what was refused. A product that is to tell nothing more needs no key: withdraw it.",
    ),
    "clicks_without_signups": RemarkText(
        "Links were followed {clicks} times within 7 days, and the product told of no signup.",
        "See that it keeps what stands behind rh= in the address, and sends it as `click` of the signup.",
    ),
    "no_admin": RemarkText(
        "There is no admin, so that nobody can look after held referrals.",
        "Run `flask --app wsgi users create-admin`.",
    ),
    "two_factor_unreadable": RemarkText(
        "SECRET_KEY is not the one under which the secrets of members' apps were sealed: no code works.",
        "Put the old SECRET_KEY back. If it is lost, recovery codes still work, and `flask --app wsgi users "
        "two-factor-off` lets somebody sign in without.",
    ),
    "admins_without_two_factor": RemarkText(
        "{number} of the admins have no second step yet.",
        "They are led to it before they can open the panel, unless they sign in with the provider.",
    ),
    "demo_account": RemarkText(
        "{username} is an account of `seed demo`, whose password is printed for everyone.",
        "Change its password on its account page, or delete it there.",
    ),
    "drifts": RemarkText(
        "What is kept differs from a recount: {drifts}",
        "`flask --app wsgi ledger verify` lists all of it, and with --repair puts right what is only a copy.",
    ),
    "audit_log_broken": RemarkText(
        "Line {line} of the audit log was changed, put in, or follows a line that is gone.",
        "Somebody with access to the database did that. Compare with a backup to see what it said.",
    ),
    "no_answer_in_time": RemarkText(
        "There was no answer within {seconds} seconds.",
        "See whether the service behind it is overloaded or cut off from the network.",
    ),
    "check_failed": RemarkText(
        "It could not be looked at: {error}",
        "If nothing above explains it, please report it as a fault of ReferralHub.",
    ),
}
DRIFTS = {
    "balance_is_no_sum": "ledger entry {entry}: says balance {balance} as number {number}, the sum is {total}",
    "reversal_is_no_opposite": "ledger entry {entry}: is not the opposite of entry {original}",
    "trail_ends_elsewhere": "referral {referral}: is {state}, the trail ends in {last_state}",
    "credit_without_confirmation": "referral {referral}: is {state} and has ledger entry {entry}",
    "reversal_against_state": "referral {referral}: is {state}, entry {entry} has reversal {reversal}",
    "credit_is_not_the_trails": "referral {referral}: the trail gives the {side} {promised}, the ledger {actual}",
    "event_says_otherwise": ("event {event}: is {state} ({reason}), a recount says {recounted} ({recounted_reason})"),
    "referral_waits_for_nothing": "referral {referral}: is pending, and an event qualifies it",
    "conversion_missing": "event {event}: is of the type that is rewarded, and there is no conversion of it",
    "conversion_differs": "conversion {conversion}: {what} is {actual}, a recount says {recounted}",
    "conversion_is_not_the_ledgers": (
        "conversion {conversion}: member {member} has {actual} {unit} of it, a recount says {recounted}"
    ),
    "conversion_without_event": "conversion {conversion}: no event of its referral is one",
    "count_differs": "member {member}: count {cached} at {cached_at}, recount {recounted} at {recounted_at}",
    "badges_differ": "member {member}: badges {badges}, {referrals} referrals",
    "payout_is_not_the_rewards": "reward {reward}: was handed over, ledger entry {entry} is not its payout",
    "payout_without_reward": "ledger entry {entry}: is a payout, no reward was handed over for it",
    "several_rewards_due": "ledger entry {entry}: {rewards} rewards are due for it",
    "reward_without_credit": "reward {reward}: {amount} is due, of its credit {left} is left",
    "rewards_without_cover": "member {member}: {due} {unit} are due, the ledger has {has}",
    "leaderboard_differs": "leaderboard {period}: Redis and the database differ",
}


def drift(found: Drift) -> str:
    """Return a line about something that does not follow from the ledger and the trail."""
    return DRIFTS[found.code].format_map(found.values)


def remark(found: Remark) -> RemarkText:
    """Return what is wrong, and what to do about it."""
    text, values = REMARKS[found.code], found.values
    if found.code == "drifts":
        values = {"drifts": "; ".join(map(drift, values["first"])) + ("; and more" if values["more"] else "")}
    if found.code == "setting":
        values = values | {"remedy": f"{values['remedy'][:1].upper()}{values['remedy'][1:]}"}
    return RemarkText(fill(text.wrong, values), fill(text.remedy, values))

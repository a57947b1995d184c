"""What mails and shared messages say in the operator's own words, where they do."""

from datetime import datetime

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from referralhub.database import insert, reading, transaction
from referralhub.models import OwnText
from referralhub.services.brand import in_force
from referralhub.services.mailing import letters
from referralhub.services.mailing.letters import Letter
from referralhub.services.shared import audit, figure_changes
from referralhub.services.shared.audit import OPERATOR, Actor


def own(name: str, language: str) -> Letter | None:
    """Return what the operator says for this letter in this language; None where that is ours. One query."""
    row = reading().execute(_asked(name, language)).one_or_none()
    return Letter(row.subject, row.body) if row else None


def all_own() -> dict[tuple[str, str], datetime]:
    """Return which letters have the operator's words in which language, and since when. One query."""
    rows = reading().execute(select(OwnText.name, OwnText.language, OwnText.changed))
    return {(name, language): changed for name, language, changed in rows}


def put_in_force(
    name: str, language: str, typed: Letter, original: Letter, now: datetime, actor: Actor = OPERATOR
) -> bool:
    """Say this from now on, and return whether that is new. Raises BadSetting for what cannot be said.

    `original` is our own letter in that language: the same as that is no own text.
    """
    letter = letters.check(name, typed, original)
    with transaction() as session:
        before = _locked(session, name, language)
        if letter == (before or original):
            return False
        if letter == original:
            _remove(session, name, language)
        else:
            values = {"subject": letter.subject, "body": letter.body, "changed": now}
            put = insert(OwnText).values(name=name, language=language, **values)
            session.execute(put.on_conflict_do_update(index_elements=["name", "language"], set_=values))
        _note(session, name, language, before or original, letter, now, actor)
    in_force.forget()
    return True


def put_back(name: str, language: str, original: Letter, now: datetime, actor: Actor = OPERATOR) -> bool:
    """Say what we say ourselves again, and return whether that is new."""
    with transaction() as session:
        before = _locked(session, name, language)
        if before is None:
            return False
        _remove(session, name, language)
        _note(session, name, language, before, original, now, actor)
    in_force.forget()
    return True


def _locked(session: Session, name: str, language: str) -> Letter | None:
    row = session.execute(_asked(name, language).with_for_update()).one_or_none()
    return Letter(row.subject, row.body) if row else None


def _asked(name: str, language: str) -> Select[str, str]:
    return select(OwnText.subject, OwnText.body).where(OwnText.name == name, OwnText.language == language)


def _remove(session: Session, name: str, language: str) -> None:
    session.execute(delete(OwnText).where(OwnText.name == name, OwnText.language == language))


def _note(
    session: Session, name: str, language: str, before: Letter, after: Letter, now: datetime, actor: Actor
) -> None:
    """Let kept pages end, and put the change on record."""
    figure_changes.note(session, figure_changes.EVERYBODY)
    which = {"text": name, "language": language}
    old, new = which | before._asdict(), which | after._asdict()
    audit.record(session, actor, "text.change", "text", None, old, new, now)

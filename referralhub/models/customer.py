"""Who was a customer before any friend could bring them."""

from datetime import date

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from referralhub.models.base import Base


class Customer(Base):
    """An existing customer of the operator's, who may not know of this program. The address itself is not kept."""

    __tablename__ = "customer"

    address_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the mailbox, without tags and dots
    since: Mapped[date]

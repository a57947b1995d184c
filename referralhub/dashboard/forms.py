"""What members fill in on pages that several views show."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm

from referralhub.forms import own_words_field
from referralhub.services.recourse.appeals import LONGEST_WORDS


class AppealForm(FlaskForm):
    """Why a referral should count after all."""

    words = own_words_field(_l("Why should it count?"), LONGEST_WORDS, _l("Say why it should count."))

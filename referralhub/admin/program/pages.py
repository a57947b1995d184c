"""The rules of the program: those in force, how they came to be, and changing them with open eyes."""

from flask import flash, redirect, request, url_for
from flask_admin import expose
from flask_babel import gettext as _

from referralhub.admin import links
from referralhub.admin.access import AdminPage, Answer, actor
from referralhub.admin.program.forms import RulesForm
from referralhub.clock import now
from referralhub.forms import show_error
from referralhub.services.program import rules
from referralhub.services.program.preview import history, preview_of
from referralhub.services.program.rules import PRESETS
from referralhub.services.shared.errors import BadSetting, StaleRules
from referralhub.words.language import N_, translated
from referralhub.words.program import LABELS, PRODUCT, differences, in_words

NOTHING = N_("These rules are in force already. Nothing was changed.")


class Rules(AdminPage):
    """What each side gets, and when."""

    about = N_("What each side gets, and when. A referral keeps the version of the rules that it began under.")

    @expose("/")
    def index(self) -> str:
        """Show the rules in force, and every version there has been."""
        versions = history()
        in_force = rules.rules_of(versions[0].program)
        told = [
            (
                each.program,
                each.line,
                differences(rules.rules_of(each.before), rules.rules_of(each.program)) if each.before else [],
            )
            for each in versions
        ]
        return self.render(
            "admin/program.html",
            version=versions[0].program.version,
            rules=[(key, translated(LABELS[key]), words) for key, words in in_words(in_force).items()],
            product=PRODUCT,
            connected=any(in_force[key] != rules.DEFAULT[key] for key in PRODUCT),
            history=told,
            presets=list(PRESETS),
            member=links.member,
        )

    @expose("/edit")
    def edit(self) -> Answer:
        """Show the form with the rules in force, or with those of a well-known program."""
        program, preset = rules.current(), request.args.get("preset", "")
        values = rules.rules_of(program) | PRESETS.get(preset, {})
        return self._form(RulesForm.of(values, program.version), preset if preset in PRESETS else None)

    @expose("/edit", methods=["POST"])
    def edit_again(self) -> Answer:
        """Show the form once more, with what was typed."""
        return self._form(RulesForm())

    @expose("/preview", methods=["POST"])
    def preview(self) -> Answer:
        """Show what the change would mean. Nothing is written."""
        form = RulesForm()
        if form.validate_on_submit():
            try:
                found = preview_of(form.rules(), form.made_from)
            except (BadSetting, StaleRules) as error:
                return self._refused(form, error)
            if found is None:
                flash(translated(NOTHING))
                return redirect(url_for(".index"), 303)
            changed = differences(rules.rules_of(found.before), found.after)
            return self.render("admin/program_preview.html", form=form, found=found, changed=changed), 200
        return self._form(form)

    @expose("/", methods=["POST"])
    def put_in_force(self) -> Answer:
        """Make a new version, if the one that was looked at is still in force."""
        form = RulesForm()
        if form.validate_on_submit():
            try:
                program, new = rules.put_in_force(form.rules(), now(), actor(), made_from=form.made_from)
            except (BadSetting, StaleRules) as error:
                return self._refused(form, error)
            flash(_("Version %(version)s is in force.", version=program.version) if new else translated(NOTHING))
            return redirect(url_for(".index"), 303)
        return self._form(form)

    def _refused(self, form: RulesForm, error: BadSetting | StaleRules) -> tuple[str, int]:
        show_error(error, form)
        if isinstance(error, StaleRules):
            form.version.data = str(error.version)  # who sends it again has been told
        return self._form(form)

    def _form(self, form: RulesForm, preset: str | None = None) -> tuple[str, int]:
        page = self.render("admin/program_form.html", form=form, preset=preset, presets=list(PRESETS))
        return page, 422 if form.errors else 200

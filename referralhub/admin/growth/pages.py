"""How the program grows: the first page of the panel."""

from functools import partial
from itertools import chain

from flask import Response, abort, flash, redirect, url_for
from flask_admin import expose
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from referralhub.admin import links
from referralhub.admin.access import AdminPage, actor
from referralhub.admin.growth import charts, tables
from referralhub.admin.growth.forms import CostsForm, RangeForm
from referralhub.admin.growth.tables import Table
from referralhub.clock import local_now, now
from referralhub.forms import show_error
from referralhub.services.growth import cohorts, costs, funnel, headlines, monthly, referrers
from referralhub.services.program import rules
from referralhub.services.shared.csv import BYTE_ORDER_MARK, csv_lines
from referralhub.services.shared.errors import BadSetting
from referralhub.words.amounts import format_cost, unit_name
from referralhub.words.language import N_


class Growth(AdminPage):
    """Figures and charts for a span of time."""

    about = N_(
        "How many join, who brings them, and what that costs. Days and months are those of the program's time zone."
    )

    @expose("/")
    def index(self) -> str:
        """Show how the program grows."""
        return self._page(CostsForm.of(rules.current()))

    @expose("/growth/<which>.csv")
    def table(self, which: str) -> Response:
        """Return one of the tables as CSV."""
        if which not in set(Table):
            abort(404)
        form, days = RangeForm.asked(local_now())
        if form.errors:
            abort(400)
        header, rows = tables.rows(Table(which), days, local_now())
        file = f"{which}-{days.first}-{days.last}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{file}"'}
        return Response(chain([BYTE_ORDER_MARK], csv_lines(header, rows)), 200, headers, mimetype="text/csv")

    @expose("/costs", methods=("POST",))
    def set_costs(self) -> BaseResponse | tuple[str, int]:
        """Say what things cost, so that growth can be compared with buying customers."""
        form = CostsForm.sent(rules.current().currency)
        if form.validate_on_submit():
            try:
                rules.change(form.costs(), now(), actor())
            except BadSetting as error:
                show_error(error, form)
            else:
                flash(_("Saved. Credit is reckoned with these costs now."))
                days, __ = RangeForm.asked(local_now())
                return redirect(url_for(".index", _anchor="costs", **days.address), 303)
        return self._page(form), 422

    def _page(self, costs_form: CostsForm) -> str:
        program, (form, days) = rules.current(), RangeForm.asked(local_now())
        months = monthly.monthly(days, local_now().date())
        found = cohorts.read(months, local_now())
        confirmed = referrers.count_confirmed(days)
        shown = [figure for each in found.months if each.k.high is not None for figure in (each.k.high, each.raw_k)]
        return self.render(
            "admin/growth.html",
            form=form,
            days=days,
            today=local_now().date(),
            headlines=headlines.read(program.ledger_unit, local_now()),
            months=months,
            months_scale=charts.scale([month.signups for month in months], least=1),
            funnel=funnel.read(days, local_now()),
            cohorts=found,
            k_scale=charts.scale(shown, lines=5),
            referrers=referrers.top(days, confirmed),
            costs=costs.read(days, program, confirmed),
            costs_form=costs_form,
            money=partial(format_cost, currency=program.currency),
            currency=unit_name(program.currency),
            unit_name=unit_name,
            member=links.member,
        )

"""How the program grows: the first page of the panel."""

from flask_admin import expose

from referralhub.admin.access import AdminPage


class Growth(AdminPage):
    """Figures and charts for a span of time."""

    @expose("/")
    def index(self) -> str:
        """Show how the program grows."""
        return self.render("admin/growth.html")

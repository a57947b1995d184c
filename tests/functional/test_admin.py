"""The panel: who gets in, what it shows, and what it must not do."""

from tests.people import Person


class TestGettingIn:
    def test_only_admins_know_that_there_is_a_panel(self, admin: Person, alice: Person, visitor):
        alice.sign_up()
        assert visitor.get("/admin/members/", 404)
        assert alice.get("/admin/members/", 404)
        assert "alice" in admin.get("/admin/members/").text

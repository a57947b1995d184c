"""What a product's customers are called on their pages and in their mail, and how the panel finds them."""

from referralhub.models import Profile
from tests.pages import Visitor
from tests.people import Person, Records, path_of


class TestOnTheLeaderboard:
    def test_they_are_unless_the_product_says_otherwise(self, shop, alice: Person, visitor: Visitor):
        made = shop.ask("PUT", "/members/cust-1001", {"name": "Bo"}, 201)
        assert made["listed"] is True
        alice.click(path_of(made["link"]))
        alice.sign_up()
        alice.confirm_address()
        assert "Bo" in visitor.get("/leaderboard").text
        assert shop.ask("PUT", "/members/cust-1001", {"listed": False}) == made | {"listed": False}
        assert shop.ask("PUT", "/members/cust-1001", {"name": "Bo"})["listed"] is False
        assert shop.ask("GET", "/members/cust-1001")["listed"] is False
        assert shop.ask("GET", "/members")["members"][0]["listed"] is False
        assert visitor.get("/leaderboard").leaders == []
        shop.ask("PUT", "/members/cust-1001", {"listed": True})
        assert len(visitor.get("/leaderboard").leaders) == 1

    def test_they_are_kept_off_it_from_the_beginning(self, shop, records: Records):
        assert shop.ask("PUT", "/members/cust-1001", {"listed": False}, 201)["listed"] is False
        assert records.one(Profile).listed is False
        shop.ask("PUT", "/members/cust-1001", {"listed": "no"}, 422)

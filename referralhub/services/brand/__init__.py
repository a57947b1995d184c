"""What the operator calls the program, and how it looks, and what it says in place of our own words."""

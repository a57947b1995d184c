"""Who was credited what, and what follows from it."""

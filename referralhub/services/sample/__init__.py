"""Made-up members to try the program with."""

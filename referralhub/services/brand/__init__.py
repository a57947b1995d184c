"""What the operator calls the program, and how it looks."""

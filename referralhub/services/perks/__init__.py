"""What members get for their credit."""

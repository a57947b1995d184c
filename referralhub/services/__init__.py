"""The program's rules. Functions take plain values and the time, commit once, and raise a DomainError."""

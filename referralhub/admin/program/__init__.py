"""The program's rules in the panel."""

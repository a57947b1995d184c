"""The brand in the panel."""

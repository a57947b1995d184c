"""The operator's brand in what is answered."""

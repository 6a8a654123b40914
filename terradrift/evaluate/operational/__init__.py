"""Whether p-values are what they say, in operation."""

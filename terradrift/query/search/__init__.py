"""Find changes like one: the example, the rows that may answer, and the nearest of them."""

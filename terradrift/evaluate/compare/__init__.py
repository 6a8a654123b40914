"""Models of any patch size on one grid under one rule for labels."""

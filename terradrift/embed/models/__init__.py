"""Foundation models, a file a family: cards, preprocessing, layouts; no torch on import."""

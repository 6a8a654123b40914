"""Regimes of ground, and of its paths through time: a tree of two levels over whole series.

After Echegoyen, Pérez, Santafé, Pérez-Goya and Ugarte 2024, "Unsupervised semantic analysis
of image sequences", Statistics and Computing 34:71, who cluster the embedded dates of a
place as one series. `paths` puts series on common steps, `tree` finds the regimes.
"""

"""Maps of classes that change, simulated, and grids to judge them on."""

"""What a map of a million changes is drawn from: narrow columns of one generation in memory.

How parts of the server speak with each other:

* `changes.of(held, generation)` gives the `Changes` of a generation: arrays of equal length,
  in the order of a curve, with the table's row of each. Made once, in about a second for a
  million; generations whose table is the same share it. `patches.of` and `events.of` likewise.
* `filters.mask(held, generation, filters)` gives (n,) bool over those arrays, kept by filters.
* `filters.rows(held, generation, filters)` gives the rows of the table `changes` that pass, in
  its own order, or best first where `filters.search` is set: what downloads and lists take.
* A search (`POST /api/similar`) hands its matches to `held.searches.keep(name, matches)`;
  `Filters.search` is that name, `held.searches.get(name)` gives them back.
  `matches` is any object of the protocol `named.Matches`: ids of changes, best first, and
  distances. Regions are kept by `held.regions` alike, as shapely geometries in degrees.
"""

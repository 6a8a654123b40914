/* What the page shows, in one place: parts read it, change it by `set`, and hear of changes. */

export const state = {
  archive: null,     // answer of /api/archive
  version: null,     // generation that tiles and lists are of
  colour: 'score',   // score | kind | event | onset | taxonomy
  filters: { since: null, until: null, kinds: [], persistence: [], minScore: 0, region: null, event: null },
  search: null,      // answer of /api/similar whose matches are shown, or null
  selected: null,    // change_id, or null
  panel: 'list',     // list | detail | sql
  theme: 'auto',     // auto | light | dark
};

const heard = [];

/** Call `hear(state, changed)` after each change of one of `keys`. */
export function on(keys, hear) {
  heard.push({ keys: new Set([].concat(keys)), hear });
}

/** Change what is shown; those who asked hear of it once. */
export function set(patch) {
  const changed = Object.keys(patch).filter((key) => state[key] !== patch[key]);
  if (!changed.length) return;
  Object.assign(state, patch);
  for (const { keys, hear } of heard) {
    if (changed.some((key) => keys.has(key))) hear(state, changed);
  }
}

/** Query string of the filters, as every route of the server takes it. */
export function query(extra = {}) {
  const { filters: f, search, version } = state;
  const words = new URLSearchParams();
  if (version) words.set('v', version);
  if (f.since) words.set('since', f.since);
  if (f.until) words.set('until', f.until);
  f.kinds.forEach((kind) => words.append('kind', kind));
  f.persistence.forEach((one) => words.append('persistence', one));
  if (f.minScore > 0) words.set('min_score', f.minScore);
  if (f.region) words.set('region', f.region);
  if (f.event) words.set('event', f.event);
  if (search) words.set('search', search.search);
  for (const [key, value] of Object.entries(extra)) words.set(key, value);
  return words.toString();
}

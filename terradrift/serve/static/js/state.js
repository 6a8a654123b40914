/* What the page shows, in one place: parts read it, change it by `set`, and hear of changes. */

export const NO_FILTERS = Object.freeze({
  since: null,
  until: null,
  kinds: [],
  persistence: [],
  minScore: 0,
  region: null,
  event: null,
});

export const state = {
  archive: null, // answer of /api/archive
  version: null, // generation that tiles and lists are of
  colour: 'score', // score | kind | event | onset | taxonomy
  filters: NO_FILTERS,
  search: null, // answer of /api/similar whose matches are shown, or null
  selected: null, // change_id, or null
  place: null, // {longitude, latitude, bbox?} of what is selected, where it is known
  hovered: null, // change_id under the pointer, on the map or in the list, or null
  view: null, // [west, south, east, north] that the map shows
  count: null, // answer of /api/count for the filters
  counting: true, // is another on its way
  drawing: false, // is an area being drawn
  area: null, // {geometry, area_km2} that `filters.region` names, or null
  retold: 0, // how often the what is drawn had to be asked for anew
  isolated: [], // regimes that the map shows alone; none: all
  outlines: true, // of events
  ground: false, // patches under the changes, grey where they were not judged
  backdrop: null, // answer of /api/background
  backdropOn: true,
  backdropOpacity: 0.7,
  judged: 0, // counts verdicts of labels as they change: see verdicts.js
  searching: false, // a search is under way
  trouble: null, // one line for all to see, or null
  panel: 'list', // list | detail | sql
  theme: 'auto', // auto | light | dark
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

/** Change some of the filters; the others stay. */
export const filter = (patch) => set({ filters: { ...state.filters, ...patch } });

/** Select a change (a row with change_id, longitude, latitude and perhaps bbox) and show it. */
export function select(row, panel = 'detail') {
  const { change_id: id, longitude, latitude, bbox = null } = row;
  const known = Number.isFinite(longitude) && Number.isFinite(latitude);
  set({ selected: id, place: known ? { longitude, latitude, bbox } : null, panel });
}

/** Query string of the filters, as every route of the server takes it; `parts.search` false: of all
    that passes them, whatever is searched. */
export function query(extra = {}, parts = {}) {
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
  if (search?.search && parts.search !== false) words.set('search', search.search);
  for (const [key, value] of Object.entries(extra)) words.set(key, value);
  return words.toString();
}

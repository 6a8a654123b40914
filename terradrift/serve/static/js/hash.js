/* The address after #: a link opens the same view. What is said of the server's memory (searches,
   names of regions) is not in it; a drawn polygon is, by its corners. */

import { NO_FILTERS, on, set, state } from './state.js';

const COLOURS = ['score', 'kind', 'event', 'onset', 'taxonomy'];
const PANELS = ['list', 'detail', 'sql'];
const DAY = /^\d{4}-\d{2}-\d{2}$/;

const words = () => new URLSearchParams(location.hash.slice(1));

/** Where the map starts by the address: {center, zoom}, or null. */
export function camera() {
  const [zoom, latitude, longitude] = (words().get('map') ?? '').split('/').map(Number);
  const known = [zoom, latitude, longitude].every(Number.isFinite) && Math.abs(latitude) <= 90;
  return known && words().get('map') ? { center: [longitude, latitude], zoom } : null;
}

/** Corners of the polygon in the address, closed, or null. */
export function polygon() {
  const corners = (words().get('area') ?? '').split(';').map((corner) => corner.split(',').map(Number));
  const known = corners.length > 2 && corners.every((c) => c.length === 2 && c.every(Number.isFinite));
  return known ? { type: 'Polygon', coordinates: [[...corners, corners[0]]] } : null;
}

/** What the address says of the rest. */
export function read() {
  const given = words();
  const number = (name) =>
    given.get(name) !== null && Number.isFinite(Number(given.get(name))) ? Number(given.get(name)) : 0;
  const date = (name) => (DAY.test(given.get(name) ?? '') ? given.get(name) : null);
  const one = (name, allowed, usual) => (allowed.includes(given.get(name)) ? given.get(name) : usual);
  return {
    colour: one('colour', COLOURS, 'score'),
    panel: one('panel', PANELS, 'list'),
    selected: given.get('selected'),
    filters: {
      ...NO_FILTERS,
      since: date('since'),
      until: date('until'),
      kinds: given.getAll('kind').map(Number).filter(Number.isInteger),
      persistence: given.getAll('persistence'),
      minScore: number('min_score'),
      event: given.get('event'),
    },
  };
}

/** The address of what is shown; `at` is {center: {lng, lat}, zoom} of the map. */
export function written(at) {
  const { filters: f } = state;
  const said = new URLSearchParams();
  if (state.colour !== 'score') said.set('colour', state.colour);
  if (state.panel !== 'list') said.set('panel', state.panel);
  if (state.selected) said.set('selected', state.selected);
  if (f.since) said.set('since', f.since);
  if (f.until) said.set('until', f.until);
  f.kinds.forEach((kind) => said.append('kind', kind));
  f.persistence.forEach((one) => said.append('persistence', one));
  if (f.minScore > 0) said.set('min_score', f.minScore);
  if (f.event) said.set('event', f.event);
  const ring = state.area?.geometry.type === 'Polygon' ? state.area.geometry.coordinates : [];
  if (ring.length === 1)
    said.set(
      'area',
      ring[0]
        .slice(0, -1)
        .map(([x, y]) => `${x.toFixed(5)},${y.toFixed(5)}`)
        .join(';'),
    );
  const rest = said.toString().replaceAll('%2C', ',').replaceAll('%3B', ';');
  const where = `map=${at.zoom.toFixed(2)}/${at.center.lat.toFixed(5)}/${at.center.lng.toFixed(5)}`;
  return `#${where}${rest ? `&${rest}` : ''}`;
}

/** Keep the address up to date with the map and the state. */
export function keep(map) {
  let waiting = 0;
  const write = () => {
    clearTimeout(waiting);
    waiting = setTimeout(
      () => history.replaceState(null, '', written({ center: map.getCenter(), zoom: map.getZoom() })),
      250,
    );
  };
  map.on('moveend', write);
  on(['colour', 'panel', 'selected', 'filters', 'area'], write);
  addEventListener('hashchange', () => {
    const at = camera();
    if (at) map.jumpTo(at);
    const { filters, ...rest } = read();
    set({ ...rest, filters: { ...filters, region: state.filters.region } });
  });
}

/* Ranks at the outlines of events in view, while the map is coloured by event. */

import { Marker } from '../vendor/maplibre-gl/maplibre-gl.mjs';
import { get } from './api.js';
import { el } from './dom.js';
import { map } from './map.js';
import { on, query, select, set, state } from './state.js';

const MOST = 40;
const APART = 36; // px between ranks
const LEAST = 9; // px that an outline is wide

let shown = [];

const clear = () => {
  shown.forEach((one) => one.remove());
  shown = [];
};

/* Where the rank of an outline stands: the middle of its upper edge, in pixels of the map. */
function crown({ geometry }) {
  const rings = geometry.type === 'Polygon' ? geometry.coordinates : geometry.coordinates.flat();
  const corners = rings.flat().map((corner) => map.project(corner));
  const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  return { x: (left + right) / 2, y: Math.min(...ys), width: right - left };
}

/** The strongest of the event's changes that pass the filters. */
async function choose(event) {
  try {
    const { rows } = await get(`api/changes?${query({ event, sort: 'score', limit: 1 }, { search: false })}`);
    if (rows.length) select(rows[0]);
  } catch (error) {
    set({ trouble: error.message });
  }
}

function mark({ id, rank }, { x, y }) {
  const button = el(
    'button',
    {
      type: 'button',
      class: 'rank number',
      tabindex: '-1',
      'aria-label': `Event of rank ${rank}`,
      onclick: (event) => {
        event.stopPropagation();
        choose(id);
      },
    },
    String(rank),
  );
  return new Marker({ element: button, anchor: 'bottom' }).setLngLat(map.unproject([x, y])).addTo(map);
}

function show() {
  clear();
  if (state.colour !== 'event' || !map.getLayer('events-fill')) return;
  /* Of an outline that lies on several tiles the widest part bears the rank. */
  const widest = new Map();
  for (const found of map.queryRenderedFeatures({ layers: ['events-fill'] })) {
    const place = crown(found);
    const before = widest.get(found.properties.rank);
    if (!before || place.width > before.place.width)
      widest.set(found.properties.rank, { event: found.properties, place });
  }
  const taken = [];
  for (const [, { event, place }] of [...widest].sort(([a], [b]) => a - b)) {
    const free = taken.every((other) => Math.hypot(other.x - place.x, other.y - place.y) >= APART);
    if (place.width < LEAST || place.y < 0 || !free) continue;
    taken.push(place);
    shown.push(mark(event, place));
    if (shown.length === MOST) return;
  }
}

export function start() {
  on('colour', () => {
    if (state.colour !== 'event') clear();
  });
  map.on('idle', show);
}

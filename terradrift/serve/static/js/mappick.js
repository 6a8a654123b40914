/* The pointer on the map: what lies under it, and selecting it. */

import { get } from './api.js';
import { el } from './dom.js';
import { drawing } from './draw.js';
import { POINTS, SQUARES } from './layers.js';
import { map } from './map.js';
import { dayOf } from './scales.js';
import { on, query, select, set, state } from './state.js';
import { key } from './keys.js';

const REACH = 5; // px around the pointer

const tip = el('div', { class: 'tip', hidden: true, 'aria-hidden': 'true' });

function under({ x, y }) {
  const layers = ['matches-dots', POINTS, SQUARES].filter((id) => map.getLayer(id));
  const found = map.queryRenderedFeatures(
    [
      [x - REACH, y - REACH],
      [x + REACH, y + REACH],
    ],
    { layers },
  );
  const first = (layer) => found.filter((one) => one.layer.id === layer);
  const matches = first('matches-dots');
  if (matches.length) return matches[0];
  return found.reduce(
    (best, one) => (best && best.properties.score >= one.properties.score ? best : one),
    null,
  );
}

function centre({ geometry }) {
  if (geometry.type === 'Point') return geometry.coordinates;
  const ring = geometry.type === 'Polygon' ? geometry.coordinates[0] : geometry.coordinates[0][0];
  const corners = ring.slice(0, -1);
  const mean = (axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / corners.length;
  return [mean(0), mean(1)];
}

const kindName = (kind) => {
  const row = state.archive.kinds?.find((one) => one.kind === kind);
  return row ? `${row.kind} ${row.name ?? ''}` : 'of no kind';
};

function describe({ properties: p }) {
  const lines = [
    el('strong', {}, p.rank ? `Match ${p.rank}` : kindName(p.kind)),
    el('span', { class: 'number' }, `score ${Number(p.score).toFixed(2)}`),
    el(
      'span',
      { class: 'number' },
      `onset ${typeof p.onset === 'number' ? dayOf(p.onset) : String(p.onset).slice(0, 10)}`,
    ),
  ];
  if (p.n > 1) lines.push(el('span', { class: 'soft' }, `strongest of ${p.n} here`));
  tip.replaceChildren(...lines);
}

function hover(event) {
  if (drawing()) return;
  const found = under(event.point);
  map.getCanvas().style.cursor = found ? 'pointer' : '';
  set({ hovered: found ? found.properties.id : null });
  tip.hidden = !found;
  if (!found) return;
  describe(found);
  const { clientWidth: wide, clientHeight: high } = map.getContainer();
  const [x, y] = [event.point.x, event.point.y];
  tip.style.left = `${Math.min(x + 14, wide - tip.offsetWidth - 8)}px`;
  tip.style.top = `${y + 14 + tip.offsetHeight > high ? y - 14 - tip.offsetHeight : y + 14}px`;
}

async function ask({ lng, lat }) {
  const metres = (REACH * 2 * 40_075_016 * Math.cos((lat * Math.PI) / 180)) / (512 * 2 ** map.getZoom());
  const { change_id: id } = await get(`api/at?${query({ longitude: lng, latitude: lat, metres })}`);
  if (id) select({ change_id: id, longitude: lng, latitude: lat });
}

/** Select the strongest change at a point of the map's canvas. */
function pick(point) {
  const found = under(point);
  if (!found) return ask(map.unproject(point)).catch(() => {});
  /* A point far out stands at the middle of its cell, not where the change is. */
  const [longitude, latitude] =
    found.geometry.type === 'Point' && !found.properties.exact ? [] : centre(found);
  select({ change_id: found.properties.id, longitude, latitude });
  return null;
}

/* What was selected by its name alone (from the address) is looked up, to be shown. */
async function locate() {
  const id = state.selected;
  if (!id || state.place) return;
  const { change } = await get(`api/change/${encodeURIComponent(id)}?v=${state.version}`);
  if (state.selected === id)
    set({ place: { longitude: change.longitude, latitude: change.latitude, bbox: null } });
}

export function start() {
  map.getContainer().append(tip);
  let last = null;
  let planned = 0;
  map.on('mousemove', (event) => {
    last = event;
    planned ||= requestAnimationFrame(() => {
      planned = 0;
      if (!map.isMoving()) hover(last);
    });
  });
  const leave = () => {
    tip.hidden = true;
    set({ hovered: null });
  };
  map.on('mouseout', leave);
  map.on('movestart', leave);
  map.on('click', (event) => {
    if (!drawing() && !event.defaultPrevented) pick(event.point);
  });
  key(
    'Enter',
    'Select the change at the middle of the map',
    (event) => {
      if (event.target !== map.getCanvas() || drawing()) return false;
      pick(map.project(map.getCenter()));
      return true;
    },
    'Map',
  );
  on(['selected', 'place'], () => {
    locate().catch(() => {});
  });
  locate().catch(() => {});
}

/* The area that changes must lie in, wherever it comes from: the server gives it a name. */

import { onGone, post } from './api.js';
import { button, dialog, notify } from './bits.js';
import { el } from './dom.js';
import * as fromHash from './hash.js';
import { map } from './map.js';
import { INKS } from './scales.js';
import { filter, on, set, state } from './state.js';
import { onTurn, shown } from './theme.js';

const NOTHING = { type: 'FeatureCollection', features: [] };

/** Ask the server to name an area, and filter by it; moves nothing. */
export async function limitTo(geometry) {
  try {
    const { region, area_km2: area } = await post('api/regions', geometry);
    set({ area: { geometry, area_km2: area } });
    filter({ region });
  } catch (error) {
    notify(error.message, 'error');
    throw error;
  }
}

let telling = null;

/* A server that was started anew, or has much to keep, forgot the area; it gives it the same name
   when it is told of it again. What asks at the same time waits for the same answer. */
function tellAgain() {
  if (!state.area) return Promise.resolve(false);
  telling ??= post('api/regions', state.area.geometry)
    .then(() => {
      set({ retold: state.retold + 1 });
      return true;
    })
    .finally(() => {
      telling = null;
    });
  return telling;
}

/** Drop the area. */
export function unlimit() {
  set({ area: null });
  filter({ region: null });
}
/** The area of the map's window. */
export function limitToView() {
  const [west, s, east, n] = state.view;
  // A map far out shows the world more than once.
  const [w, e] = east - west >= 360 ? [-180, 180] : [west, east];
  return limitTo({
    type: 'Polygon',
    coordinates: [
      [
        [w, s],
        [e, s],
        [e, n],
        [w, n],
        [w, s],
      ],
    ],
  }).catch(() => {});
}

/** GeoJSON, or four numbers west south east north, as a body of /api/regions. */
export function parsed(text) {
  const numbers = text
    .trim()
    .split(/[\s,;]+/)
    .map(Number);
  if (numbers.length === 4 && numbers.every(Number.isFinite)) {
    const [w, s, e, n] = numbers;
    if (w < e && s < n)
      return {
        type: 'Polygon',
        coordinates: [
          [
            [w, s],
            [e, s],
            [e, n],
            [w, n],
            [w, s],
          ],
        ],
      };
    throw new Error('expected west, south, east, north; swap what is too large');
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('expected GeoJSON, or four numbers: west, south, east, north');
  }
}

/** Ask for an area in words. */
export function paste() {
  const text = el('textarea', {
    class: 'field mono',
    rows: 8,
    'aria-label': 'Area',
    placeholder: '{"type": "Polygon", "coordinates": ...}   or   3.10, 50.90, 3.25, 51.00',
  });
  const said = el('p', { class: 'error', role: 'alert' });
  const use = async () => {
    try {
      await limitTo(parsed(text.value));
      box.close();
      showArea();
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const box = dialog(
    'Area from text',
    'paste',
    el(
      'p',
      { class: 'soft' },
      'GeoJSON in degrees (geometry, feature or collection), or west, south, east, north.',
    ),
    text,
    said,
    el('div', { class: 'row' }, button('Use this area', use, { class: 'button primary' })),
  );
  text.focus();
}

function positions(geometry) {
  if (!geometry) return [];
  if (geometry.type === 'FeatureCollection')
    return geometry.features.flatMap((one) => positions(one.geometry));
  if (geometry.type === 'Feature') return positions(geometry.geometry);
  if (geometry.type === 'GeometryCollection') return geometry.geometries.flatMap(positions);
  return geometry.coordinates.flat(geometry.type === 'MultiPolygon' ? 2 : 1);
}

/** Move to the area, which came from elsewhere than the map. */
function showArea() {
  const places = positions(state.area?.geometry).filter((place) => place.length >= 2);
  if (!map || !places.length) return;
  const [xs, ys] = [places.map((p) => p[0]), places.map((p) => p[1])];
  map.fitBounds(
    [
      [Math.min(...xs), Math.min(...ys)],
      [Math.max(...xs), Math.max(...ys)],
    ],
    { padding: 60, maxZoom: 16 },
  );
}

function asGeoJson(geometry) {
  if (!geometry) return NOTHING;
  return geometry.type.startsWith('Feature') ? geometry : { type: 'Feature', properties: {}, geometry };
}

const draw = () => map.getSource('area').setData(asGeoJson(state.area?.geometry));

function colours() {
  map.setPaintProperty('area-fill', 'fill-color', INKS[shown()].hover);
  map.setPaintProperty('area-line', 'line-color', INKS[shown()].hover);
}

export function start() {
  onGone(tellAgain);
  map.addSource('area', { type: 'geojson', data: NOTHING });
  map.addLayer({ id: 'area-fill', type: 'fill', source: 'area', paint: { 'fill-opacity': 0.05 } });
  const dashed = { 'line-width': 2, 'line-dasharray': [3, 2] };
  map.addLayer({ id: 'area-line', type: 'line', source: 'area', paint: dashed });
  colours();
  draw();
  on('area', draw);
  onTurn(colours);
  const given = fromHash.polygon();
  if (given && !state.area) limitTo(given).catch(() => {});
  addEventListener('hashchange', () => {
    const now = fromHash.polygon();
    if (now) limitTo(now).catch(() => {});
    else if (state.area) unlimit();
  });
}

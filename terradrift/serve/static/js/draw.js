/* The area that changes must lie in: drawn on the map, pasted, or what the map shows now. */

import { onGone, post } from './api.js';
import { button, dialog, notify } from './bits.js';
import { el } from './dom.js';
import { key } from './keys.js';
import { map } from './map.js';
import * as fromHash from './hash.js';
import { INKS } from './scales.js';
import { filter, on, set, state } from './state.js';
import { onTurn, shown } from './theme.js';

const SAME = 8; // px: a click nearer to the first corner closes the ring
const collection = (...features) => ({ type: 'FeatureCollection', features });
const feature = (geometry) => ({ type: 'Feature', properties: {}, geometry });

let ring = null;
let loose = null; // where the pointer is

/** Is a polygon being drawn? */
export const drawing = () => ring !== null;

const hint = el('div', { class: 'hint', hidden: true, role: 'status' });

function sketch() {
  const corners = [...(ring ?? []), ...(ring && loose ? [loose] : [])];
  const parts = (ring ?? []).map((corner) => feature({ type: 'Point', coordinates: corner }));
  if (corners.length > 1) parts.push(feature({ type: 'LineString', coordinates: corners.length > 2 ? [...corners, corners[0]] : corners }));
  map.getSource('sketch').setData(collection(...parts));
  hint.hidden = !ring;
  hint.textContent = ring && ring.length > 2
    ? 'Double click, Enter or the first corner closes the area; Backspace takes a corner back, Esc leaves.'
    : 'Click the corners of an area (or move the map and press Space for its middle); Esc leaves.';
}

/** Begin to draw. */
export function begin() {
  ring = [];
  loose = null;
  map.getCanvas().style.cursor = 'crosshair';
  map.getContainer().classList.add('drawing');
  map.doubleClickZoom.disable();
  map.getCanvas().focus();
  sketch();
  set({ drawing: true });
}

function leave() {
  ring = null;
  map.getCanvas().style.cursor = '';
  map.getContainer().classList.remove('drawing');
  setTimeout(() => map.doubleClickZoom.enable(), 0);
  sketch();
  set({ drawing: false });
}

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
    .then(() => { set({ retold: state.retold + 1 }); return true; })
    .finally(() => { telling = null; });
  return telling;
}

/** Drop the area. */
export function unlimit() {
  set({ area: null });
  filter({ region: null });
}

function close() {
  const corners = ring.filter((corner, nth) => nth === 0 || corner.join() !== ring[nth - 1].join());
  if (corners.length < 3) { notify('An area has at least three corners'); return; }
  leave();
  limitTo({ type: 'Polygon', coordinates: [[...corners, corners[0]]] }).catch(() => {});
}

const at = ({ lng, lat }) => [Number(lng.toFixed(6)), Number(lat.toFixed(6))];

function corner(event) {
  if (!ring) return;
  if (ring.length > 2 && map.project(ring[0]).dist(event.point) < SAME) { close(); return; }
  ring.push(at(event.lngLat));
  sketch();
}

/** The area of the map's window. */
export function limitToView() {
  const [w, s, e, n] = state.view;
  return limitTo({ type: 'Polygon', coordinates: [[[w, s], [e, s], [e, n], [w, n], [w, s]]] }).catch(() => {});
}

/** GeoJSON, or four numbers west south east north, as a body of /api/regions. */
export function parsed(text) {
  const numbers = text.trim().split(/[\s,;]+/).map(Number);
  if (numbers.length === 4 && numbers.every(Number.isFinite)) {
    const [w, s, e, n] = numbers;
    if (w < e && s < n) return { type: 'Polygon', coordinates: [[[w, s], [e, s], [e, n], [w, n], [w, s]]] };
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
  const text = el('textarea', { class: 'field mono', rows: 8, 'aria-label': 'Area', placeholder: '{"type": "Polygon", "coordinates": ...}   or   3.10, 50.90, 3.25, 51.00' });
  const said = el('p', { class: 'error', role: 'alert' });
  const use = async () => {
    try {
      await limitTo(parsed(text.value));
      box.close();
      showArea();
    } catch (error) { said.textContent = error.message; }
  };
  const box = dialog('Area from text', 'paste',
    el('p', { class: 'soft' }, 'GeoJSON in degrees (geometry, feature or collection), or west, south, east, north.'),
    text, said, el('div', { class: 'row' }, button('Use this area', use, { class: 'button primary' })));
  text.focus();
}

function positions(geometry) {
  if (!geometry) return [];
  if (geometry.type === 'FeatureCollection') return geometry.features.flatMap((one) => positions(one.geometry));
  if (geometry.type === 'Feature') return positions(geometry.geometry);
  if (geometry.type === 'GeometryCollection') return geometry.geometries.flatMap(positions);
  return geometry.coordinates.flat(geometry.type === 'MultiPolygon' ? 2 : 1);
}

/** Move to the area, which came from elsewhere than the map. */
function showArea() {
  const places = positions(state.area?.geometry).filter((place) => place.length >= 2);
  if (!places.length) return;
  const [xs, ys] = [places.map((p) => p[0]), places.map((p) => p[1])];
  map.fitBounds([[Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]], { padding: 60, maxZoom: 16 });
}

function asFeature(geometry) {
  if (!geometry) return collection();
  return geometry.type.startsWith('Feature') ? geometry : feature(geometry);
}

function colours() {
  const ink = INKS[shown()];
  map.setPaintProperty('area-fill', 'fill-color', ink.hover);
  map.setPaintProperty('area-line', 'line-color', ink.hover);
  map.setPaintProperty('sketch-line', 'line-color', ink.chosen);
  map.setPaintProperty('sketch-corners', 'circle-color', ink.chosen);
}

function addLayers() {
  for (const name of ['area', 'sketch']) map.addSource(name, { type: 'geojson', data: collection() });
  map.addLayer({ id: 'area-fill', type: 'fill', source: 'area', paint: { 'fill-opacity': 0.05 } });
  map.addLayer({ id: 'area-line', type: 'line', source: 'area', paint: { 'line-width': 2, 'line-dasharray': [3, 2] } });
  map.addLayer({ id: 'sketch-line', type: 'line', source: 'sketch', paint: { 'line-width': 2 } });
  map.addLayer({ id: 'sketch-corners', type: 'circle', source: 'sketch', filter: ['==', ['geometry-type'], 'Point'], paint: { 'circle-radius': 4.5 } });
  colours();
}

function registerKeys() {
  const only = (act) => () => { if (!ring) return false; act(); return true; };
  key('d', 'Draw an area', begin, 'Map');
  key('Enter', 'Close the area that is drawn', only(close), 'Map');
  key(' ', 'While drawing: a corner at the middle of the map', only(() => { ring.push(at(map.getCenter())); sketch(); }), 'Map');
  key('Backspace', null, only(() => { ring.pop(); sketch(); }));
  key('Escape', 'Leave what is open', only(leave));
}

export function start() {
  onGone(tellAgain);
  addLayers();
  map.getContainer().append(hint);
  map.on('click', corner);
  map.on('mousemove', (event) => { if (ring?.length) { loose = at(event.lngLat); sketch(); } });
  map.on('dblclick', (event) => { if (ring) { event.preventDefault(); close(); } });
  on('area', () => map.getSource('area').setData(asFeature(state.area?.geometry)));
  onTurn(colours);
  registerKeys();
  if (state.area) map.getSource('area').setData(asFeature(state.area.geometry));
  const given = fromHash.polygon();
  if (given && !state.area) limitTo(given).catch(() => {});
}

/* Drawing an area on the map, by pointer or keys. */

import { limitTo } from './area.js';
import { notify } from './bits.js';
import { el } from './dom.js';
import { key } from './keys.js';
import { map } from './map.js';
import { INKS } from './scales.js';
import { set } from './state.js';
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
  if (corners.length > 1)
    parts.push(
      feature({ type: 'LineString', coordinates: corners.length > 2 ? [...corners, corners[0]] : corners }),
    );
  map.getSource('sketch').setData(collection(...parts));
  hint.hidden = !ring;
  hint.textContent =
    ring && ring.length > 2
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

function close() {
  const corners = ring.filter((corner, nth) => nth === 0 || corner.join() !== ring[nth - 1].join());
  if (corners.length < 3) {
    notify('An area has at least three corners');
    return;
  }
  leave();
  limitTo({ type: 'Polygon', coordinates: [[...corners, corners[0]]] }).catch(() => {});
}

const at = ({ lng, lat }) => [Number(lng.toFixed(6)), Number(lat.toFixed(6))];

function corner(event) {
  if (!ring) return;
  event.preventDefault(); // a corner selects nothing, the one that closes the ring neither
  if (ring.length > 2 && map.project(ring[0]).dist(event.point) < SAME) {
    close();
    return;
  }
  ring.push(at(event.lngLat));
  sketch();
}

function colours() {
  const ink = INKS[shown()];
  map.setPaintProperty('sketch-line', 'line-color', ink.chosen);
  map.setPaintProperty('sketch-corners', 'circle-color', ink.chosen);
}

function addLayers() {
  map.addSource('sketch', { type: 'geojson', data: collection() });
  map.addLayer({ id: 'sketch-line', type: 'line', source: 'sketch', paint: { 'line-width': 2 } });
  map.addLayer({
    id: 'sketch-corners',
    type: 'circle',
    source: 'sketch',
    filter: ['==', ['geometry-type'], 'Point'],
    paint: { 'circle-radius': 4.5 },
  });
  colours();
}

function registerKeys() {
  const only = (act) => (event) => {
    if (!ring) return false;
    const presses = event.key === 'Enter' || event.key === ' ';
    if (presses && event.target.closest('button, a, summary, input')) return false;
    act();
    return true;
  };
  key('d', 'Draw an area', begin, 'Map');
  key('Enter', 'Close the area that is drawn', only(close), 'Map');
  key(
    ' ',
    'While drawing: a corner at the middle of the map',
    only(() => {
      ring.push(at(map.getCenter()));
      sketch();
    }),
    'Map',
  );
  key(
    'Backspace',
    null,
    only(() => {
      ring.pop();
      sketch();
    }),
  );
  key('Escape', 'Leave what is open', only(leave));
}

export function start() {
  addLayers();
  map.getContainer().append(hint);
  map.on('click', corner);
  map.on('mousemove', (event) => {
    if (ring?.length) {
      loose = at(event.lngLat);
      sketch();
    }
  });
  map.on('dblclick', (event) => {
    if (ring) {
      event.preventDefault();
      close();
    }
  });
  onTurn(colours);
  registerKeys();
}

/* Meridians and parallels at round degrees, named at the map's edge. */

import { el } from './dom.js';
import { map } from './map.js';

const STEPS = [45, 30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];
const APART = 130; // px between lines, at least
const NORTHMOST = 85;

/** The widest spacing of lines, in degrees, that gives lines at least APART pixels apart. */
export function spacing(degreesPerPixel) {
  const fine = STEPS.filter((step) => step / degreesPerPixel >= APART);
  return fine.length ? fine[fine.length - 1] : STEPS[0];
}

function multiples(low, high, step) {
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n += 1) found.push(n * step);
  return found;
}

function named(degrees, step, positive, negative) {
  const places = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const side = degrees === 0 ? '' : ` ${degrees > 0 ? positive : negative}`;
  return `${Math.abs(degrees).toFixed(places)}\u00b0${side}`;
}

const names = el('div', { class: 'grid-names', 'aria-hidden': 'true' });

function drawGrid() {
  const bounds = map.getBounds();
  const [west, east] = [bounds.getWest(), bounds.getEast()];
  const [south, north] = [Math.max(bounds.getSouth(), -NORTHMOST), Math.min(bounds.getNorth(), NORTHMOST)];
  const step = spacing((east - west) / map.getContainer().clientWidth);
  const meridians = multiples(west, east, step);
  const parallels = multiples(south, north, step);
  const lines = [
    ...meridians.map((x) => [
      [x, south],
      [x, north],
    ]),
    ...parallels.map((y) => [
      [west, y],
      [east, y],
    ]),
  ];
  map.getSource('grid').setData({ type: 'MultiLineString', coordinates: lines });
  const middle = (west + east) / 2;
  names.replaceChildren(
    ...meridians.map((x) =>
      el(
        'span',
        { class: 'at-top', style: { left: `${map.project([x, south]).x}px` } },
        named(((x + 540) % 360) - 180, step, 'E', 'W'),
      ),
    ),
    ...parallels.map((y) =>
      el(
        'span',
        { class: 'at-left', style: { top: `${map.project([middle, y]).y}px` } },
        named(y, step, 'N', 'S'),
      ),
    ),
  );
}

export function start() {
  map.getContainer().append(names);
  map.on('movestart', () => names.classList.add('moving'));
  map.on('moveend', () => {
    names.classList.remove('moving');
    drawGrid();
  });
  drawGrid();
}

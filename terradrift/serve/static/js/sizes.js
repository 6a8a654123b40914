/* What the size of a point says: how many changes lie in the cell that it stands for. */

import { el } from './dom.js';
import { on, state } from './state.js';

/** Of so many changes the radius in pixels. */
const SIZES = [
  [1, 3],
  [10, 3.6],
  [100, 4.2],
  [10_000, 5],
];

/** The radius by `n` of a point: an expression of MapLibre. */
export const radius = [
  'interpolate',
  ['linear'],
  ['ln', ['max', 1, ['coalesce', ['get', 'n'], 1]]],
  ...SIZES.flatMap(([n, pixels]) => [Math.log(n), pixels]),
];

const dot = ([n, pixels]) => [
  el('span', {
    class: 'dot',
    style: { width: `${2 * pixels}px`, height: `${2 * pixels}px` },
    'aria-hidden': 'true',
  }),
  n.toLocaleString('en-US'),
];

/** The line of the legend; there while points are drawn. */
export const sizes = el(
  'p',
  {
    class: 'sizes small soft number',
    hidden: true,
    title: 'A point stands for a cell of the screen, in the colour of its strongest change',
  },
  'Changes in a cell',
  ...SIZES.filter(([n]) => n !== 10).flatMap(dot),
);

/** Show the line as long as `map` draws points of `layer` that differ in size. */
export function watch(map, layer) {
  const show = () => {
    const drawn = state.colour !== 'event' && map.getLayer(layer);
    sizes.hidden = !drawn || !map.queryRenderedFeatures({ layers: [layer] }).length;
  };
  map.on('idle', show);
  on('colour', show);
}

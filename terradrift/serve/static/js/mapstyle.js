/* The ground of the map: paper, land, grid. Made here, so that nothing comes from another host. */

import { INKS } from './scales.js';

const EMPTY = { type: 'FeatureCollection', features: [] };
/* The coast is of 1:110 million: it says where on Earth one is, and misleads from near. */
export const COAST_UNTIL = 7;
const COAST_FADES = ['interpolate', ['linear'], ['zoom'], COAST_UNTIL - 2, 1, COAST_UNTIL, 0];
const paper = (ink) => [
  'interpolate',
  ['linear'],
  ['zoom'],
  COAST_UNTIL - 2,
  ink.paper,
  COAST_UNTIL,
  ink.land,
];

/** The style that the map starts with. */
export function ground(theme) {
  const ink = INKS[theme];
  return {
    version: 8,
    transition: { duration: 0, delay: 0 },
    sources: {
      land: {
        type: 'geojson',
        data: new URL('static/data/land.json', document.baseURI).href,
        tolerance: 0.5,
      },
      grid: { type: 'geojson', data: EMPTY },
    },
    layers: [
      { id: 'paper', type: 'background', paint: { 'background-color': paper(ink) } },
      {
        id: 'land',
        type: 'fill',
        source: 'land',
        maxzoom: COAST_UNTIL,
        paint: { 'fill-color': ink.land, 'fill-opacity': COAST_FADES },
      },
      {
        id: 'coast',
        type: 'line',
        source: 'land',
        maxzoom: COAST_UNTIL,
        paint: { 'line-color': ink.coast, 'line-opacity': COAST_FADES, 'line-width': 0.8 },
      },
      { id: 'grid', type: 'line', source: 'grid', paint: { 'line-color': ink.grid, 'line-width': 0.7 } },
    ],
  };
}

/** Repaint the ground in another theme. */
export function reground(map, theme) {
  const ink = INKS[theme];
  map.setPaintProperty('paper', 'background-color', paper(ink));
  map.setPaintProperty('land', 'fill-color', ink.land);
  map.setPaintProperty('coast', 'line-color', ink.coast);
  map.setPaintProperty('grid', 'line-color', ink.grid);
}

/* Ranks of events at their outlines while the map is coloured by event. */

import { get } from './api.js';
import { el } from './dom.js';
import { map } from './map.js';
import { Marker } from '../vendor/maplibre-gl/maplibre-gl.mjs';
import { on, query, select, state } from './state.js';

const MOST = 40;

let shown = [];
let newest = 0;

const clear = () => { shown.forEach((one) => one.remove()); shown = []; };

function mark(row) {
  const button = el('button', {
    type: 'button', class: 'rank number', tabindex: '-1', 'aria-label': `Event of rank ${row.rank}`, title: row.kind_name ?? '',
    onclick: (event) => { event.stopPropagation(); select(row); },
  }, String(row.rank));
  return new Marker({ element: button, anchor: 'bottom' }).setLngLat([row.longitude, row.bbox ? row.bbox[3] : row.latitude]).addTo(map);
}

async function show() {
  const mine = newest += 1;
  if (state.colour !== 'event') { clear(); return; }
  const { rows } = await get(`api/events?${query({ sort: 'rank', offset: 0, limit: MOST }, { search: false })}`);
  if (mine !== newest) return;
  clear();
  shown = rows.map(mark);
}

export function start() {
  const again = () => show().catch(clear);
  on(['colour', 'filters', 'version'], again);
  again();
}

/* Marks over the tiles: the selected change, and the matches of a search by their rank. */

import { get } from './api.js';
import { map } from './map.js';
import { widthFrom } from './paint.js';
import { CIVIDIS, INKS, ramp } from './scales.js';
import { on, set, state } from './state.js';
import { onTurn, shown } from './theme.js';

const RING = 11; // px
const PAGE = 1000; // matches that the server answers at a time
const collection = (features = []) => ({ type: 'FeatureCollection', features });
const point = (longitude, latitude, properties = {}) => ({
  type: 'Feature',
  properties,
  geometry: { type: 'Point', coordinates: [longitude, latitude] },
});

function colours() {
  const ink = INKS[shown()];
  map.setPaintProperty('chosen-halo', 'circle-stroke-color', ink.halo);
  map.setPaintProperty('chosen', 'circle-stroke-color', ink.chosen);
  map.setPaintProperty('matches-dots', 'circle-stroke-color', ink.edge);
}

function showChosen() {
  const { place, selected } = state;
  map
    .getSource('chosen')
    .setData(collection(selected && place ? [point(place.longitude, place.latitude)] : []));
}

async function showMatches() {
  const { search } = state;
  if (!search) {
    map.getSource('matches').setData(collection());
    return;
  }
  const rows = [...search.rows];
  const draw = () => {
    const most = Math.max(search.total, 2);
    map.setPaintProperty('matches-dots', 'circle-color', [
      'interpolate',
      ['linear'],
      ['get', 'rank'],
      ...ramp([...CIVIDIS].reverse(), 1, most),
    ]);
    map.getSource('matches').setData(
      collection(
        rows
          .map((row, nth) => ({ ...row, rank: row.rank ?? nth + 1 }))
          .filter((row) => Number.isFinite(row.longitude)) // what is gone since is nowhere
          .map((row) =>
            point(row.longitude, row.latitude, {
              id: row.change_id,
              exact: true,
              rank: row.rank,
              score: row.score ?? 0,
              onset: row.onset,
              kind: row.kind,
            }),
          ),
      ),
    );
  };
  draw();
  while (rows.length < search.total) {
    const asked = new URLSearchParams({ offset: rows.length, limit: PAGE, v: state.version });
    const more = await get(`api/search/${encodeURIComponent(search.search)}?${asked}`);
    if (state.search !== search || !more.rows.length) return;
    rows.push(...more.rows);
    draw();
  }
}

export function start() {
  for (const name of ['matches', 'chosen']) map.addSource(name, { type: 'geojson', data: collection() });
  map.addLayer({
    id: 'matches-dots',
    type: 'circle',
    source: 'matches',
    layout: { 'circle-sort-key': ['-', 0, ['get', 'rank']] },
    paint: {
      'circle-radius': ['interpolate', ['linear'], ['zoom'], 6, 4, 12, 7, 16, 12],
      'circle-color': CIVIDIS[8],
      'circle-stroke-width': 1.2,
    },
  });
  const ring = (id, width) =>
    map.addLayer({
      id,
      type: 'circle',
      source: 'chosen',
      maxzoom: widthFrom(2.2 * RING),
      paint: { 'circle-radius': RING, 'circle-opacity': 0, 'circle-stroke-width': width },
    });
  ring('chosen-halo', 5);
  ring('chosen', 2.5);
  colours();
  showChosen();
  onTurn(colours);
  on(['selected', 'place'], showChosen);
  const again = () => showMatches().catch((error) => set({ trouble: error.message }));
  on('search', again);
  again();
}

/* The tiles of the server as sources and layers: patches, changes, events. */

import { map } from './map.js';
import { colourOf, filling, hatchOf, lookOf, widthFrom } from './paint.js';
import { INKS } from './scales.js';
import { radius, watch } from './sizes.js';
import { on, query, state } from './state.js';
import { hushWhileSlow } from './still.js';
import { addTextures } from './textures.js';
import { onTurn, shown } from './theme.js';

export const POINTS = 'changes-points';
export const SQUARES = 'changes-squares';

const AGAIN = 250; // ms: tiles are asked anew at most so often
const NEAREST = 14; // beyond this zoom tiles are magnified
const EDGED = 10; // px that a patch is wide where its edge becomes a line of its own
const OUTLINED = 4; // px that a patch is wide where outlines of events begin to show
const isPoint = ['==', ['geometry-type'], 'Point'];
const isSquare = ['==', ['geometry-type'], 'Polygon'];
const chosen = ['boolean', ['feature-state', 'chosen'], false];
const hovered = ['boolean', ['feature-state', 'hovered'], false];

/** Where tiles are asked for; `words` is a query string. */
const address = (what, words) =>
  `${new URL(`tiles/${what}/`, document.baseURI).href}{z}/{x}/{y}.mvt?${words}`;

/* A search keeps the rest in view, dimmed: its matches are drawn over it. */
const wordsFor = {
  patches: () => new URLSearchParams({ v: state.version }).toString(),
  changes: () => query({}, { search: false }),
  events: () => query({}, { search: false }),
};

const wanted = {
  patches: () => state.ground || state.colour === 'taxonomy',
  changes: () => true,
  events: () => state.archive.has.events && (state.outlines || state.colour === 'event'),
};

function source(what) {
  return {
    type: 'vector',
    tiles: [address(what, wordsFor[what]())],
    minzoom: 0,
    maxzoom: NEAREST,
    ...(what === 'events' ? {} : { promoteId: 'id' }),
  };
}

function layersOf(what) {
  const here = { source: what, 'source-layer': what };
  if (what === 'patches')
    return [
      { id: 'patches', type: 'fill', ...here, paint: {} },
      { id: 'patches-hatch', type: 'fill', ...here, paint: {} },
    ];
  if (what === 'events') {
    return [
      {
        id: 'events-fill',
        type: 'fill',
        ...here,
        layout: { visibility: 'none' },
        filter: isSquare,
        paint: {},
      },
      { id: 'events', type: 'line', ...here, paint: {} },
    ];
  }
  /* Tiles hold the strongest last, which is drawn on top. A sort key would say the same, and have
     MapLibre draw every point by a call of its own. */
  return [
    {
      id: SQUARES,
      type: 'fill',
      ...here,
      filter: isSquare,
      paint: {},
    },
    {
      id: 'changes-hatch',
      type: 'fill',
      ...here,
      layout: { visibility: 'none' },
      filter: isSquare,
      paint: {},
    },
    {
      id: 'changes-edges',
      type: 'line',
      ...here,
      filter: isSquare,
      minzoom: widthFrom(EDGED),
      paint: {},
    },
    {
      id: POINTS,
      type: 'circle',
      ...here,
      filter: isPoint,
      paint: {},
    },
  ];
}

/* What lies under what; sources that are not wanted have no layers. */
const ORDER = ['background', 'patches', 'events', 'changes'];
const LATER = ['matches-dots', 'matches-chosen', 'area-fill'];

function before(what) {
  for (const next of ORDER.slice(ORDER.indexOf(what) + 1)) {
    const first = next === 'background' ? 'background' : layersOf(next)[0].id;
    if (map.getLayer(first)) return first;
  }
  return LATER.find((id) => map.getLayer(id));
}

/** Put a layer of the backdrop where it belongs: under all that is of the archive's findings. */
export const underAll = () => before('background');

function show(layer, visible) {
  const now = visible ? 'visible' : 'none';
  if (map.getLayer(layer) && map.getLayoutProperty(layer, 'visibility') !== now)
    map.setLayoutProperty(layer, 'visibility', now);
}

let hushed = false; // no lines: the map moves, and slowly

function paintAll() {
  const theme = shown();
  const ink = INKS[theme];
  const colour = colourOf(theme);
  const look = lookOf(theme);
  const dim = state.search ? 0.25 : 1;
  const set = (layer, paint) => {
    if (!map.getLayer(layer)) return;
    for (const [name, value] of Object.entries(paint)) map.setPaintProperty(layer, name, value);
  };
  const quiet = state.colour === 'taxonomy' || state.colour === 'event';
  set(POINTS, {
    'circle-color': look.fill,
    'circle-radius': ['+', state.colour === 'event' ? 1.2 : radius, ['case', chosen, 3, hovered, 2, 0]],
    'circle-opacity': quiet ? 0.55 * dim : 0.95 * dim,
    'circle-stroke-opacity': dim,
    'circle-stroke-width': ['case', chosen, 3, hovered, 2.5, look.ring],
    'circle-stroke-color': ['case', chosen, ink.chosen, hovered, ink.hover, look.stroke],
  });
  set(SQUARES, {
    'fill-color': colour,
    'fill-opacity': ['*', dim, ['case', chosen, quiet ? 0.2 : 0.9, filling()]],
    /* A thin edge costs a processor that draws as much as all of the filling: there is one. */
    'fill-antialias': hushed ? false : ['step', ['zoom'], true, widthFrom(EDGED), false],
    'fill-outline-color': ['case', chosen, ink.chosen, hovered, ink.hover, `${ink.edge}66`],
  });
  set('changes-hatch', {
    'fill-pattern': hatchOf(theme),
    'fill-opacity': quiet ? 0 : dim,
    'fill-antialias': false,
  });
  set('changes-edges', {
    'line-color': ['case', chosen, ink.chosen, hovered, ink.hover, `${ink.edge}${quiet ? '66' : 'b3'}`],
    'line-width': [
      'interpolate',
      ['linear'],
      ['zoom'],
      10,
      ['case', chosen, 3, hovered, 2.5, 0.25],
      14,
      ['case', chosen, 4, hovered, 3, quiet ? 0.5 : 1],
    ],
    /* One number for all: it can be 0 and back without tiles being read anew. */
    'line-opacity': hushed ? 0 : dim,
  });
  set('patches', {
    'fill-color': colourOf(theme, 'patches'),
    'fill-opacity':
      state.colour === 'taxonomy' ? 0.8 : ['case', ['to-boolean', ['get', 'judged']], 0.12, 0.5],
  });
  set('patches-hatch', {
    'fill-pattern': hatchOf(theme, 'patches'),
    'fill-opacity': state.colour === 'taxonomy' ? 0.9 : 0,
  });
  const byEvent = state.colour === 'event';
  /* A source whose layers are all hidden is not asked for tiles. */
  show('changes-hatch', state.colour === 'kind');
  show('patches-hatch', state.colour === 'taxonomy');
  show('events-fill', byEvent);
  if (map.getLayer('events')) map.setLayerZoomRange('events', byEvent ? 0 : widthFrom(OUTLINED), 24);
  set('events-fill', { 'fill-color': colourOf(theme, 'events'), 'fill-opacity': byEvent ? 0.3 * dim : 0 });
  set('events', {
    'line-color': byEvent ? colourOf(theme, 'events') : ink.ink,
    'line-width': byEvent
      ? ['interpolate', ['linear'], ['zoom'], 8, 1.4, 13, 2.4]
      : ['interpolate', ['linear'], ['zoom'], 8, 0.6, 13, 1.6],
    'line-opacity': hushed
      ? 0
      : byEvent
        ? dim
        : ['interpolate', ['linear'], ['zoom'], widthFrom(OUTLINED), 0, widthFrom(6), 0.65 * dim],
  });
}

function remove(what) {
  delete asked[what];
  layersOf(what).forEach(({ id }) => map.removeLayer(id));
  map.removeSource(what);
}

function add(what) {
  asked[what] = wordsFor[what]();
  map.addSource(what, source(what));
  layersOf(what).forEach((layer) => map.addLayer(layer, before(what)));
}

/* MapLibre never asks again for a tile that failed; a new source does. */
function rebuild(what) {
  remove(what);
  add(what);
  paintAll();
  mark();
}

function arrange() {
  for (const what of ['patches', 'events', 'changes']) {
    const there = Boolean(map.getSource(what));
    if (wanted[what]() === there) continue;
    if (there) remove(what);
    else add(what);
  }
  paintAll();
}

const asked = {};
const broken = new Set();
let last = 0;
let waiting = 0;

/* MapLibre forgets that tiles were asked anew while the ones before were still on their way (it
   reads those again), so the next are asked for when all are there; old ones stay in view till then. */
function askAgain() {
  clearTimeout(waiting);
  waiting = setTimeout(
    () => {
      last = performance.now();
      for (const what of Object.keys(wordsFor)) {
        const words = wordsFor[what]();
        if (asked[what] === words || !map.getSource(what)) continue;
        if (broken.delete(what)) {
          rebuild(what);
          continue;
        }
        if (!map.isSourceLoaded(what)) {
          askAgain();
          continue;
        }
        asked[what] = words;
        map.getSource(what).setTiles([address(what, words)]);
      }
    },
    Math.max(0, last + AGAIN - performance.now()),
  );
}

const of = (id) => ({ source: 'changes', sourceLayer: 'changes', id });
const marks = { selected: 'chosen', hovered: 'hovered' };
const marked = {};

function mark() {
  for (const [key, flag] of Object.entries(marks)) {
    if (marked[key]) map.removeFeatureState(of(marked[key]), flag);
    marked[key] = state[key];
    if (marked[key]) map.setFeatureState(of(marked[key]), { [flag]: true });
  }
}

export function start() {
  addTextures();
  arrange();
  on(['ground', 'outlines', 'colour'], arrange);
  on(['search', 'isolated'], paintAll);
  on(['filters', 'search', 'version'], askAgain);
  on('archive', arrange);
  on('retold', () => {
    Object.keys(asked).forEach((what) => {
      asked[what] = null;
    });
    askAgain();
  });
  onTurn(paintAll);
  on(['selected', 'hovered'], mark);
  mark();
  watch(map, POINTS);
  hushWhileSlow(map, (now) => {
    hushed = now;
    paintAll();
  });
  map.on('error', ({ sourceId }) => {
    if (sourceId in wordsFor) broken.add(sourceId);
  });
}

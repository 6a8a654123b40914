/* The map itself: where it starts, its controls, and moving it only when there is a reason. */

import {
  Map as MapLibre,
  NavigationControl,
  ScaleControl,
  prewarm,
} from '../vendor/maplibre-gl/maplibre-gl.mjs';

import { el, icon } from './dom.js';
import { key, tell } from './keys.js';
import { COAST_UNTIL, ground, reground } from './mapstyle.js';
import { on, set, state } from './state.js';
import { onTurn, shown } from './theme.js';
import * as fromHash from './hash.js';

prewarm(); // its workers start while the archive is asked for

/** The MapLibre map; null before `start`. */
export let map = null;

const FIT = 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4';
const small = matchMedia('(max-width: 760px)');
const NEAR = 13; // zoom at which a change is looked at after a flight
const STEP = 90; // px that an arrow key moves the map

class Fit {
  onAdd() {
    this.box = el(
      'div',
      { class: 'maplibregl-ctrl maplibregl-ctrl-group' },
      el(
        'button',
        {
          type: 'button',
          'aria-label': 'Show the whole archive',
          title: 'Show the whole archive (0)',
          onclick: fit,
        },
        icon(FIT),
      ),
    );
    return this.box;
  }

  onRemove() {
    this.box.remove();
  }
}

const padding = () => Math.min(48, Math.round(map.getContainer().clientWidth / 10));

/** Bounds of the archive as [[w, s], [e, n]], or null where it holds nothing yet. */
function extent() {
  const box = state.archive.bbox;
  return box
    ? [
        [box[0], box[1]],
        [box[2], box[3]],
      ]
    : null;
}

/** Show the whole archive. */
export function fit() {
  if (extent()) map.fitBounds(extent(), { padding: padding(), duration: 500 });
}

/* Pixels of the map that the sheet of small screens covers. */
function covered() {
  const sheet = document.getElementById('side').getBoundingClientRect();
  const box = map.getContainer().getBoundingClientRect();
  return sheet.left <= box.left ? Math.max(0, box.bottom - sheet.top) : 0;
}

function inView(place) {
  const { x, y } = map.project(place);
  const box = map.getContainer();
  return x >= 0 && x <= box.clientWidth && y >= 0 && y <= box.clientHeight - covered();
}

/** Move to a place only where it is out of view: to its extent, or near enough to see a patch. */
export function reveal({ longitude, latitude, bbox }) {
  if (inView([longitude, latitude])) return;
  const offset = [0, -covered() / 2];
  const zoom = Math.max(map.getZoom(), Math.min(NEAR, map.getMaxZoom()));
  const far =
    map.project([longitude, latitude]).dist(map.project(map.getCenter())) >
    3 * map.getContainer().clientWidth;
  if (bbox)
    map.fitBounds(
      [
        [bbox[0], bbox[1]],
        [bbox[2], bbox[3]],
      ],
      { padding: { top: 80, left: 80, right: 80, bottom: 80 + covered() }, maxZoom: 15, duration: 600 },
    );
  else if (far) map.flyTo({ center: [longitude, latitude], zoom, offset, duration: 900 });
  else map.easeTo({ center: [longitude, latitude], offset, duration: 500 });
}

function tellView() {
  const bounds = map.getBounds();
  set({ view: [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()] });
}

function readout() {
  const place = el('output', {
    id: 'where',
    class: 'number',
    'aria-label': 'Coordinates under the pointer',
    'aria-live': 'off', // it changes with each move of the pointer
  });
  map.getContainer().append(place);
  const show = ({ lng, lat }) => {
    const [x, y] = [((lng + 540) % 360) - 180, lat];
    const zoom = map.getZoom();
    const credit = zoom < COAST_UNTIL ? 'Coast: Natural Earth   ' : '';
    const north = `${Math.abs(y).toFixed(4)}\u00b0 ${y < 0 ? 'S' : 'N'}`;
    const east = `${Math.abs(x).toFixed(4)}\u00b0 ${x < 0 ? 'W' : 'E'}`;
    place.textContent = `${credit}${north}  ${east}  z${zoom.toFixed(1)}`;
  };
  map.on('mousemove', (event) => show(event.lngLat));
  map.on('move', () => show(map.getCenter()));
  show(map.getCenter());
}

/* Whether tiles are on their way, for those who see the page and those who wait for it. Tiles
   that turn out to be the same as before are not drawn again, so `idle` alone would not tell. */
function tellBusy() {
  const place = map.getContainer();
  let watching = 0;
  const calm = () => {
    clearInterval(watching);
    watching = 0;
    place.setAttribute('aria-busy', 'false');
  };
  const busy = () => {
    place.setAttribute('aria-busy', 'true');
    watching ||= setInterval(() => {
      if (map.loaded() && !map.isMoving()) calm();
    }, 150);
  };
  map.on('dataloading', busy);
  map.on('movestart', busy);
  map.on('idle', calm);
  busy();
}

const nowhere = (event) => event.target === document.body || event.target.closest?.('#map');

function registerKeys() {
  const pan = (x, y) => (event) => {
    if (!nowhere(event)) return false;
    map.panBy([x * STEP, y * STEP], { duration: 150 });
    return true;
  };
  tell('Arrows', 'Move the map', 'Map');
  key('ArrowLeft', null, pan(-1, 0));
  key('ArrowRight', null, pan(1, 0));
  key('ArrowUp', null, pan(0, -1));
  key('ArrowDown', null, pan(0, 1));
  key(
    '+',
    'Nearer',
    () => {
      map.zoomIn({ duration: 200 });
    },
    'Map',
  );
  key('=', null, () => {
    map.zoomIn({ duration: 200 });
  });
  key(
    '-',
    'Farther',
    () => {
      map.zoomOut({ duration: 200 });
    },
    'Map',
  );
  key(
    '0',
    'The whole archive',
    () => {
      fit();
    },
    'Map',
  );
}

function made() {
  const given = fromHash.camera();
  return new MapLibre({
    container: 'map',
    style: ground(shown()),
    ...(given ??
      (extent() ? { bounds: extent(), fitBoundsOptions: { padding: 40 } } : { center: [0, 20], zoom: 1 })),
    attributionControl: false,
    dragRotate: false,
    touchPitch: false,
    keyboard: false,
    maxZoom: 19,
    fadeDuration: 0,
    validateStyle: false,
    localIdeographFontFamily: 'sans-serif',
    locale: { 'Map.Title': 'Map' },
  });
}

/** Make the map; resolves when layers can be added. */
export async function start() {
  map = made();
  map.touchZoomRotate.disableRotation();
  map.addControl(new NavigationControl({ showCompass: false }), 'top-right');
  map.addControl(new Fit(), 'top-right');
  map.addControl(new ScaleControl({ maxWidth: 120, unit: 'metric' }), 'bottom-left');
  tellBusy();
  map.on('moveend', tellView);
  map.on('error', ({ error }) => {
    if (error.name === 'AbortError') return;
    set({ trouble: error.status ? `Part of the map could not be read (${error.status})` : error.message });
  });
  onTurn((theme) => reground(map, theme));
  /* The sheet of small screens comes up first. */
  on('place', () =>
    setTimeout(
      () => {
        if (state.place) reveal(state.place);
      },
      small.matches ? 300 : 0,
    ),
  );
  /* Matches may lie anywhere: where none is in view all of the archive is shown. */
  on('search', () => {
    const found = (state.search?.rows || []).filter((row) => Number.isFinite(row.longitude));
    if (found.length && !found.some((row) => inView([row.longitude, row.latitude]))) fit();
  });
  registerKeys();
  readout();
  await new Promise((resolve) => {
    map.once('style.load', resolve);
  });
  tellView();
}

/* Starts the page: asks what the archive holds, then starts each part in turn.

   Conventions for parts
   - A part is js/<part>.js with `export function start()`; add a line to PARTS below. It is
     started once, after `state.archive` is known, and finds its place by id: #list, #detail, #sql
     (tabs: side.js makes them and shows the one that `state.panel` names; set({panel}) opens it).
     Buttons for the header go into #tools (bar.js made it before any part starts).
   - Everything shown goes through state.js: `on(keys, hear)`, `set(patch)`, `filter(patch)` for
     some of the filters, `select(row)` for a change or an event's strongest change (the row has
     change_id, longitude, latitude, and bbox where it has an extent): the map highlights it and
     flies there only if it is out of view. set({hovered: id}) on pointerenter / focus of a row,
     null on leave: the map outlines it, and the other way round. set({search: answer}) shows its
     matches on the map, and only those in the list; null ends it.
   - Questions to the server: api.js with `query()` of state.js, which holds filters, search and
     version. An Error's message is the line to show; status 410 is told by fresh.js.
   - Keys: keys.js `key(key, words, act, group)`; the list registers j and k, labels y and n, help ?.
   - Styles: css/tokens.css has the colours (both themes), spacing, type, radii, and .button
     (.primary .quiet .icon, aria-pressed), .field, .chip, .number, .soft, .faint, .small, .error, .sr;
     layout.css the shell; panels.css is of the panels. Panels set their own padding (var(--s4)) and
     scroll by themselves; at 390 px the side panel is a sheet from below.
   - Text of the archive by textContent; no inline scripts; no requests to other hosts. */

import { get } from './api.js';
import * as fromHash from './hash.js';
import { el } from './dom.js';
import { set } from './state.js';
import { compare } from './version.js';
import * as keys from './keys.js';
import * as theme from './theme.js';
import * as bar from './bar.js';
import * as side from './side.js';
import * as legend from './legend.js';
import * as timeline from './timeline.js';
import * as filters from './filters.js';
import * as count from './count.js';
import * as fresh from './fresh.js';
import * as list from './list.js';
import * as similar from './similar.js';
import * as labels from './labels.js';
import * as detail from './detail.js';
import * as sql from './sql.js';
import * as download from './download.js';
import * as help from './help.js';
import * as map from './map.js';
import * as layers from './layers.js';
import * as mapmarks from './mapmarks.js';
import * as area from './area.js';
import * as draw from './draw.js';
import * as mapgrid from './mapgrid.js';
import * as mappick from './mappick.js';
import * as mapevents from './mapevents.js';
import * as mapbackground from './mapbackground.js';

const PARTS = [
  keys,
  bar,
  side,
  legend,
  timeline,
  filters,
  count,
  fresh,
  list,
  similar,
  labels,
  detail,
  sql,
  download,
  help,
];
/* These need the map, in this order: what is added later lies above. */
const ON_MAP = [layers, mapmarks, area, draw, mapgrid, mappick, mapevents, mapbackground];

function told(place, words) {
  place.append(el('p', { class: 'failed error', role: 'alert' }, words));
}

async function startMap() {
  const place = document.getElementById('map');
  try {
    await map.start();
  } catch (error) {
    told(
      place,
      `The map cannot be drawn (${error.message.split('.')[0]}); lists, details and SQL work without it.`,
    );
    return;
  }
  for (const part of ON_MAP) part.start();
  fromHash.keep(map.map);
  document.body.dataset.map = 'ready';
}

theme.start();
try {
  const archive = await get('api/archive');
  compare(archive);
  set({ ...fromHash.read(), archive, version: archive.version });
  document.title = `${archive.name} - terradrift`;
  const mapped = startMap();
  for (const part of PARTS) part.start();
  await mapped;
} catch (error) {
  told(document.getElementById('news'), error.message);
  throw error;
}

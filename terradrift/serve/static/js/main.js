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
import { set } from './state.js';
import * as keys from './keys.js';
import * as theme from './theme.js';
import * as bar from './bar.js';
import * as side from './side.js';

const PARTS = [keys, theme, bar, side];

const archive = await get('api/archive');
set({ archive, version: archive.version });
document.title = `${archive.name} - terradrift`;
for (const part of PARTS) part.start();

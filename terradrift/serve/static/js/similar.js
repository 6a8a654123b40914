/* Find changes like one, by one click; refine by what was judged; ask what to judge next. */

import { get, post } from './api.js';
import { button, choice, closeButton, dialog, notify } from './bits.js';
import { el } from './dom.js';
import { key } from './keys.js';
import { tally } from './labels.js';
import { above, beside, target } from './list.js';
import { called } from './row.js';
import { count, day, number } from './say.js';
import { NO_FILTERS, on, select, set, state } from './state.js';
import { swatch } from './swatch.js';
import * as verdicts from './verdicts.js';

const MODES = [
  ['delta', 'the same step'],
  ['before-after', 'the same before and after'],
  ['after', 'the same state after'],
  ['before', 'the same state before'],
  ['reverse', 'the opposite step'],
  ['after-before', 'what undoes it'],
];
const MANY = [['20', '20'], ['50', '50'], ['200', '200'], ['1000', '1,000'], ['5000', '5,000']];

const options = { mode: 'delta', k: '50', within: true, of: 'event' };
let aside = null; // {filters, area} that a search without them set aside

function conditions() {
  const f = state.filters;
  return {
    since: f.since, until: f.until, kind: f.kinds, persistence: f.persistence,
    min_score: f.minScore, event: f.event, region: f.region,
  };
}

const filtered = () => JSON.stringify(state.filters) !== JSON.stringify(NO_FILTERS);

const KEYS = Object.keys(NO_FILTERS);
const isSet = (key) => JSON.stringify(state.filters[key]) !== JSON.stringify(NO_FILTERS[key]);

/* What was set aside, under what was set since. */
function together() {
  if (!aside) return { filters: state.filters, area: state.area };
  const since = Object.fromEntries(KEYS.filter(isSet).map((key) => [key, state.filters[key]]));
  return { filters: { ...aside.filters, ...since }, area: since.region ? state.area : aside.area };
}

async function asked(path, body, kept, limited) {
  if (state.searching) return;
  set({ searching: true });
  let told = null;
  const slow = setTimeout(() => { told = notify('Searching\u2026'); }, 500);
  try {
    await verdicts.settled();
    const within = limited || !filtered();
    const answer = await post(`${path}?${new URLSearchParams({ v: state.version })}`, {
      mode: options.mode, k: Number(options.k), filters: within ? conditions() : {}, ...body,
    });
    if (!within) aside = together();
    set({
      search: { ...answer, ...kept }, panel: 'list', selected: null, place: null,
      ...(within ? {} : { filters: NO_FILTERS, area: null }),
    });
  } catch (error) {
    notify(error.message, 'error');
  } finally {
    clearTimeout(slow);
    told?.remove();
    set({ searching: false });
  }
}

/** The row that a search begins with: what is selected, or what the cursor is on. */
async function rowOf(id) {
  const { change, event, kind } = await get(`api/change/${encodeURIComponent(id)}?${new URLSearchParams({ v: state.version })}`);
  return { ...change, kind_name: kind?.name || kind?.label, label: event?.label, n_patches: event?.n_patches };
}

/* Filters that are set while matches are shown are of the search, whatever was set aside before it. */
const goesOn = () => options.within || Boolean(state.search);

/** Search for changes like a row (change_id, and event_id where it is part of one); `within` the
    filters or without them. */
export async function find(row, within = options.within) {
  const whole = options.of === 'event' && row.event_id;
  if (state.search?.example?.id !== row.change_id) verdicts.choose(null);
  const example = { id: row.change_id, judged: whole ? row.event_id : row.change_id, row, whole: Boolean(whole) };
  await asked('api/similar', whole ? { event: row.event_id } : { change: row.change_id }, { example, how: 'example' }, within);
}

async function findSelected() {
  const id = target();
  if (!id) { notify('Select a change first: a row of the list, or a place on the map'); return; }
  try {
    await find(await rowOf(id));
  } catch (error) {
    notify(error.message, 'error');
  }
}

/* The search anew, by all that was judged; this page's own verdicts where the server only reads. */
async function refine() {
  const example = state.search?.example ?? null;
  const { yes, no } = verdicts.judged();
  const body = state.archive.read_only ? { like: yes, unlike: no } : { labels: verdicts.name() };
  await asked('api/similar', body, { example, how: 'refined' }, goesOn());
}

/* Those whose verdict would teach most. */
async function next() {
  const example = state.search?.example ?? null;
  const name = verdicts.name();
  await asked('api/uncertain', { name, k: 20 }, { example, how: 'uncertain' }, goesOn());
}

/** End the search; filters that it set aside come back. */
export function close() {
  if (!state.search) return;
  set({ search: null, ...together() });
}

const TITLES = {
  example: 'Like this',
  refined: 'Refined by what you judged',
  uncertain: 'Next to judge: where a verdict teaches most',
  sql: 'Rows of your statement',
};

/* What vectors are held against each other in, by how the name of a space begins. */
const SPACES = {
  raw: ['as the model gives them', 'Vectors are compared as the model gives them (raw)'],
  centre: ['less the archive\u2019s mean', 'The mean of the archive is taken off every vector, so that what all patches share does not count (centre)'],
  whiten: ['whitened', 'The mean of the archive is taken off, and directions in which all patches scatter much count less (whiten)'],
  triplet: ['as learned from regimes', 'Vectors are compared in a space learned so that patches of one regime lie together (triplet)'],
};

const spaceOf = (space) => String(space).split('/')[0];

/* What was compared with what, how surely these are the nearest, and what else to know: one line. */
function note(search) {
  if (search.how === 'sql') return search.note;
  const { mode, space, plan, exact, recall } = search;
  const step = MODES.find(([name]) => name === mode)?.[1] ?? mode;
  const surely = exact ? 'exact' : recall === null ? 'by the index' : `by the index, which finds ${number(100 * recall, 1)} % of the nearest`;
  const words = [SPACES[spaceOf(space)]?.[0], `(${space})`].filter(Boolean).join(' ');
  const line = `${step[0].toUpperCase()}${step.slice(1)}, vectors compared ${words}: ${plan || surely}`;
  return [line, search.note].filter(Boolean).join('; ');
}

/* The same question under other filters. */
let waiting = 0;

function again() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const { search } = state;
    if (state.searching) { again(); return; }
    if (search?.how === 'example') find(search.example.row, true);
    if (search?.how === 'refined') refine();
    if (search?.how === 'uncertain') next();
  }, 400);
}

/** The search's options; `hear` is called when one changes. */
export function settings(row, hear) {
  const change = (name) => (value) => { options[name] = value; hear?.(); };
  const within = el('input', { type: 'checkbox' });
  within.checked = options.within;
  within.addEventListener('change', () => change('within')(within.checked));
  return el('div', { class: 'settings' },
    choice('Compare', MODES, options.mode, change('mode')),
    choice('At most', MANY, options.k, change('k')),
    row?.event_id && choice('Example', [
      ['event', `its event${row.n_patches ? ` (${count(row.n_patches, 'patch', 'patches')})` : ''}`], ['change', 'this change alone']], options.of, change('of')),
    !hear && filtered() && el('label', { class: 'check' }, within, 'within the filters'));
}

function pinned({ example }) {
  const { row } = example;
  return el('button', {
    type: 'button', class: 'pinned', title: 'Show the example', onclick: () => select(row),
    onpointerenter: () => set({ hovered: row.change_id }), onpointerleave: () => set({ hovered: null }),
  },
  swatch(row.kind),
  el('span', { class: 'pinned-name' }, called(row)),
  el('span', { class: 'soft number' }, day(row.onset || row.start)),
  el('span', { class: 'soft' }, example.whole ? 'the whole event' : 'one change'));
}

/** How many were judged under which name, and what to do with them. */
export function judging() {
  const { yes, no } = verdicts.judged();
  const ready = Boolean(verdicts.name() && yes.length);
  return el('div', { class: 'judging' },
    tally(),
    el('div', { class: 'actions' },
      button('Refine', refine, {
        disabled: !ready,
        title: ready ? `Search anew by ${yes.length} yes and ${no.length} no (r)` : 'Say yes (y) or no (n) of some changes first',
      }),
      button('Next to judge', next, {
        disabled: !ready || state.archive.read_only,
        title: state.archive.read_only ? 'Needs labels that are stored, and this server only reads' : 'Changes whose verdict would teach most',
      })));
}

function show() {
  const place = above();
  const { search } = state;
  place.hidden = !search;
  if (!search) { place.replaceChildren(); return; }
  place.replaceChildren(
    el('div', { class: 'searching-head' },
      el('h2', {}, TITLES[search.how]), closeButton('Leave the search (Escape)', close)),
    ...(search.example ? [pinned(search)] : []),
    el('p', { class: 'note soft number', title: SPACES[spaceOf(search.space)]?.[1] }, note(search)),
    ...(search.how === 'example' ? [el('details', { class: 'find-how' },
      el('summary', {}, 'Compare otherwise'),
      settings(search.example.row, again))] : []),
    ...(search.how === 'sql' ? [] : [judging()]));
}


/* Names under which labels are stored, to go on where an analyst left off. */
function stored() {
  const rows = verdicts.names().map(({ name, yes, no }) => el('tr', {},
    el('th', { scope: 'row' }, name), el('td', { class: 'right' }, number(yes)), el('td', { class: 'right' }, number(no)),
    el('td', { class: 'right' }, button('Search', () => {
      box.close();
      verdicts.choose(name);
      refine();
    }, { disabled: !yes, title: yes ? `Changes like what was called ${name}` : 'Nothing was said to be it yet' }))));
  const box = dialog('Labels', 'dialog-small', el('table', { class: 'plain number' },
    el('thead', {}, el('tr', {}, ...['Name', 'yes', 'no', ''].map((one) => el('th', { scope: 'col', class: one === 'Name' ? null : 'right' }, one)))),
    el('tbody', {}, ...rows)));
}

function offer() {
  const n = verdicts.names().length;
  beside().replaceChildren(...(n && !state.search ? [button(`Labels (${number(n)})`, stored, { class: 'follow', 'aria-haspopup': 'dialog' })] : []));
}

export function start() {
  on(['search', 'judged'], offer);
  on('search', () => { if (!state.search) aside = null; });
  key('s', 'Find changes like the selected one', () => { findSelected(); }, 'Search');
  key('r', 'Refine the search by what was judged', () => {
    if (!verdicts.judged().yes.length) return false;
    refine();
    return true;
  }, 'Search');
  key('Escape', 'Leave the detail, then the search', () => {
    if (state.panel === 'detail') { set({ panel: 'list' }); return true; }
    if (!state.search) return false;
    close();
    return true;
  }, 'Search');
  on(['search', 'judged'], show);
  on('filters', (_, changed) => { if (state.search && !changed.includes('search')) again(); });
}

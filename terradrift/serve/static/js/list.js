/* The list: ranked events, single changes, or the matches of a search, by the filters of the map. */

import { get } from './api.js';
import { button, choice, nothing } from './bits.js';
import { el } from './dom.js';
import { key } from './keys.js';
import { Rows } from './rows.js';
import { paint } from './row.js';
import { count, number } from './say.js';
import { NO_FILTERS, on, query, select, set, state } from './state.js';

const SORTS = {
  events: [['rank', 'Rank'], ['score', 'Score'], ['area', 'Area'], ['start', 'Start']],
  changes: [['score', 'Score'], ['onset', 'Onset']],
};
const WORDS = { events: 'Events', changes: 'Changes', matches: 'Matches' };
const ONE = { events: 'event', changes: 'change', matches: 'match' };
const MANY = { matches: 'matches' };

const SOON = 120; // ms: filters that are dragged are asked for when they rest
const here = { shown: 'events', before: 'events', sort: { events: 'rank', changes: 'score' } };
const parts = {};

function ask(offset, limit, signal) {
  if (here.shown === 'matches') {
    const { search, rows, total } = state.search;
    if (!search) return Promise.resolve({ total, rows: rows.slice(offset, offset + limit) });
    return get(`api/search/${encodeURIComponent(search)}?${new URLSearchParams({ offset, limit, v: state.version })}`, { signal });
  }
  const asked = query({ sort: here.sort[here.shown], offset, limit });
  return get(`api/${here.shown}?${asked}`, { signal });
}

const filtered = () => JSON.stringify(state.filters) !== JSON.stringify(NO_FILTERS);

function heading({ total, reach, waiting, error }) {
  if (waiting) { parts.count.textContent = 'Asking\u2026'; return; }
  if (error) {
    parts.count.textContent = 'Not all was answered';
    parts.empty.hidden = true;
    parts.rows.box.hidden = false;
    return;
  }
  const words = count(total, ONE[here.shown], MANY[here.shown]);
  const all = state.archive.counts?.[here.shown];
  const of = all > total ? ` of ${number(all)}` : '';
  const rest = reach < total ? `; the first ${number(reach)} are listed` : '';
  parts.count.textContent = `${words}${of}${rest}`;
  parts.empty.replaceChildren(...(total ? [] : [emptiness()]));
  parts.empty.hidden = total > 0;
  parts.rows.box.hidden = total === 0;
}

function emptiness() {
  if (state.search && here.shown === 'matches') {
    return nothing('No match passes', state.search.note || 'Widen the filters, or search without them.', clear());
  }
  if (filtered() || state.search) {
    return nothing(`No ${ONE[here.shown]} passes`, 'The filters leave nothing here. Widen the period, lower the least score, or clear them.', clear());
  }
  if (state.archive.has?.scores) {
    const detect = state.archive.runs?.find((one) => one.verb === 'detect' && one.status === 'done');
    return nothing('No change was found', detect?.message || 'What could be judged stayed near its reference.');
  }
  return nothing('Nothing was judged yet', 'Run terradrift detect on this archive; the page tells when it is done.');
}

const clear = () => filtered() && button('Clear filters', () => set({ filters: NO_FILTERS, area: null }));

function show(name) {
  if (name !== 'matches') here.before = name;
  here.shown = name;
  chrome();
  parts.rows.reset();
}

function chrome() {
  for (const [name, tab] of Object.entries(parts.tabs)) {
    tab.setAttribute('aria-pressed', String(name === here.shown));
    tab.hidden = (name === 'matches') !== Boolean(state.search);
  }
  parts.head.hidden = Boolean(state.search);
  parts.rows.box.setAttribute('aria-label', `${WORDS[here.shown]}, in order`);
  const sorts = SORTS[here.shown];
  parts.sort.replaceChildren(...(sorts ? [choice('Sort by', sorts, here.sort[here.shown], (value) => {
    here.sort[here.shown] = value;
    parts.rows.reset();
  })] : []));
}

const idOf = (row) => row.change_id;

/** Rows of a list as `select` takes them; what has no extent of its own has none on the map. */
function open(row) {
  if (row.gone) return;
  select(row);
}

/** Go `by` rows along; in the detail the row is opened. Answers the row, or undefined at an end. */
export async function step(by, opens = state.panel === 'detail') {
  const { rows } = parts;
  const selected = state.selected ? rows.find((row) => idOf(row) === state.selected) : -1;
  const from = opens && selected >= 0 ? selected : rows.cursor;
  const row = await rows.at(from + by);
  if (!row) return undefined;
  rows.move(from + by);
  if (opens) select(row);
  return row;
}

/** Put the cursor on a row that was listed before. */
export function goTo(id) {
  const at = parts.rows.find((row) => idOf(row) === id);
  if (at >= 0) parts.rows.move(at);
}

/** What y, n and s are about: the change that is open, or the row that the list's cursor is on. */
export function target() {
  if (state.panel === 'detail' && state.selected) return state.selected;
  return parts.rows.row(parts.rows.cursor)?.change_id ?? state.selected;
}

/** Where the selected row stands: {nth (from 1), total, of: 'match' | 'event' | 'change'}, or null. */
export function standing() {
  const at = parts.rows.find((row) => idOf(row) === state.selected);
  return at < 0 ? null : { nth: at + 1, total: parts.rows.total, of: ONE[here.shown] };
}

/** The place beside the count, for what else can be listed. */
export const beside = () => parts.more;

/** The place above the list where the search says what it is. */
export const above = () => parts.above;

export function start() {
  parts.above = el('div', { class: 'searching', hidden: true });
  parts.tabs = Object.fromEntries(Object.entries(WORDS).map(([name, words]) => [
    name, el('button', { type: 'button', class: 'button quiet', onclick: () => show(name) }, words)]));
  parts.count = el('p', { class: 'list-count number', role: 'status' });
  parts.sort = el('div', { class: 'list-sort' });
  parts.more = el('div', { class: 'list-more' });
  parts.empty = el('div', { hidden: true });
  parts.rows = new Rows({
    label: 'Events', height: 68, ask, paint, open, told: heading,
    point: (row) => set({ hovered: row ? idOf(row) : null }),
  });
  document.getElementById('list').append(
    parts.above,
    parts.head = el('div', { class: 'list-head' },
      el('div', { class: 'switch', role: 'group', 'aria-label': 'What is listed' }, ...Object.values(parts.tabs)),
      parts.sort),
    el('div', { class: 'list-said' }, parts.count, parts.more), parts.empty, parts.rows.box,
  );
  if (!state.archive.has?.events) here.shown = here.before = 'changes';
  let waiting = 0;
  on(['filters', 'version'], () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (!state.search) parts.rows.reset(); }, SOON);
  });
  on('search', () => {
    if (state.search) show('matches');
    else show(here.before);
  });
  on('panel', () => {
    const astray = document.activeElement === document.body || document.activeElement.closest('#detail');
    if (state.panel === 'list' && astray) parts.rows.box.focus({ preventScroll: true });
  });
  on('hovered', () => parts.rows.hover((row) => state.hovered !== null && idOf(row) === state.hovered));
  on('judged', () => parts.rows.repaint());
  on('selected', () => {
    const at = state.selected ? parts.rows.find((row) => idOf(row) === state.selected) : -1;
    if (at >= 0 && at !== parts.rows.cursor) parts.rows.move(at);
  });
  key('j', 'Next in the list', () => { step(1); }, 'List');
  key('k', 'Previous in the list', () => { step(-1); }, 'List');
  key('Enter', 'Open what is marked in the list', (event) => {
    const row = parts.rows.row(parts.rows.cursor);
    if (!row || state.panel !== 'list' || event.target.closest('button, a, summary')) return false;
    open(row);
    return true;
  }, 'List');
  chrome();
  parts.rows.reset();
}

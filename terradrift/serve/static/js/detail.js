/* The detail of a change: pictures, what is said of it, its series, its bands, its event. */

import { get } from './api.js';
import { button, copy, iconButton, nothing, notify, trouble } from './bits.js';
import { strip } from './chips.js';
import { el } from './dom.js';
import { save } from './download.js';
import { thumbs } from './labels.js';
import { standing, step } from './list.js';
import { called } from './row.js';
import { area, count, day, figures, interval, number, place, signed, span } from './say.js';
import { Chart } from './series.js';
import { find, judging, settings } from './similar.js';
import { bars } from './spectra.js';
import { filter, on, select, set, state } from './state.js';
import { sure } from './sure.js';
import { kindName, swatch } from './swatch.js';
import * as verdicts from './verdicts.js';

const BACK = 'M10 3 5 8l5 5';
const UP = 'M3 10l5-5 5 5';
const DOWN = 'M3 6l5 5 5-5';
const HURRY = 180; // ms
const here = { stop: null, last: 0, waiting: 0, judged: null };

const root = () => document.getElementById('detail');

function head(told) {
  const { change, event, kind } = told;
  const row = { ...event, ...change, kind_name: kind?.name || kind?.label, n_patches: event?.n_patches };
  const held = interval(change.onset_early, change.onset_late, change.onset);
  const at = standing();
  const ranked = event ? `event ${number(event.rank)}` : 'part of no event';
  const where = at && at.of !== 'event'
    ? `${at.of} ${number(at.nth)} of ${number(at.total)} \u00b7 ${ranked}`
    : `${ranked}${event ? ` of ${number(state.archive.counts.events)}` : ''}`;
  return el('header', { class: 'detail-head' },
    el('div', { class: 'detail-nav' },
      iconButton(BACK, 'Back to the list (Escape)', () => set({ panel: 'list' })),
      el('span', { class: 'soft number' }, where),
      iconButton(UP, 'Previous in the list (k)', () => step(-1, true)),
      iconButton(DOWN, 'Next in the list (j)', () => step(1, true))),
    el('h2', { tabindex: -1 }, swatch(change.kind), called(row)),
    ofKind(row),
    el('p', { class: 'number' }, day(change.onset), held && el('span', { class: 'soft' }, `, at 95 % ${held}`)),
    el('p', { class: 'soft number small' }, place(change.longitude, change.latitude), ` \u00b7 ${change.persistence || 'course not known'}`),
    el('p', { class: 'number' }, `Score ${number(change.score, 1)} \u00b7 `, sure(change, true)));
}

/* The kind, where it is not what the title says. */
function ofKind(row) {
  const name = row.kind_name || kindName(row.kind);
  if (!name || [name, `Kind: ${name}`].includes(called(row))) return null;
  return el('p', { class: 'soft small' }, `of the kind: ${name}`);
}

function actions(told) {
  const { change, event } = told;
  const row = { ...change, label: event?.label, n_patches: event?.n_patches, kind_name: told.kind?.name || told.kind?.label };
  const judgement = el('div', { class: 'judgement' });
  const progress = el('div', { class: 'progress' });
  const judged = () => {
    judgement.replaceChildren(thumbs(change.change_id));
    const others = verdicts.said(change).filter(([name]) => name !== verdicts.name());
    progress.replaceChildren(...[
      others.length > 0 && el('p', { class: 'soft small' }, `Also said: ${others.map(([name, one]) => `${one} to ${name}`).join(', ')}`),
      (state.search?.example || verdicts.name()) && judging(),
    ].filter(Boolean));
  };
  judged();
  here.judged = judged;
  return el('div', { class: 'detail-actions' },
    el('div', { class: 'actions' },
      button('Find similar', () => find(row), { class: 'button primary', title: 'Changes like this one (s)' }),
      judgement),
    progress,
    el('details', { class: 'find-how' }, el('summary', {}, 'How to compare'), settings(row)));
}

function section(title, ...children) {
  return el('section', { class: 'detail-part' }, el('h3', {}, title), ...children);
}

function members(told) {
  const { event, within_event: within } = told;
  if (!event) return null;
  const to = (id, words) => button(words, () => select({ change_id: id }), { disabled: !id });
  return section('Its event',
    el('p', { class: 'number' }, `${within?.n ? `${count(within.n, 'change')}, ` : ''}${count(event.n_patches, 'patch', 'patches')}, ${area(event.area_km2)}, ${span(event.start, event.end)}; strongest score ${number(event.max_score, 1)}`),
    el('div', { class: 'actions' },
      to(within?.previous, 'Stronger'), to(within?.next, 'Weaker'),
      button('Only this event', () => filter({ event: event.event_id }), { class: 'button quiet' })));
}

function facts(told) {
  const unknown = told.unknown || {};
  const { change } = told;
  const rows = [
    ['Change', change.change_id], ['Patch', change.patch_id], ['Event', change.event_id],
    ['Before', day(change.date_before)], ['After', day(change.date_after)], ['Ended', change.ended && day(change.ended)],
    ['z', number(change.z, 1)], ['p', figures(change.p_value)], ['q', figures(change.q_value)],
    ['LOF', number(change.lof, 2)], ['Reference', change.reference && `${change.reference}, ${count(change.n_reference, 'date')}`],
    ['Analogues', number(change.n_controls)], ['Rarity', figures(change.rarity)],
    ['Of its kind', change.kind_probability !== null && change.kind_probability !== undefined ? `${number(100 * change.kind_probability)} %` : null],
    ['NDVI', signed(change.d_ndvi)], ['NBR', signed(change.d_nbr)], ['NDWI', signed(change.d_ndwi)],
  ].filter(([, value]) => value !== null && value !== undefined && value !== '');
  const nulls = Object.entries(unknown).map(([name, why]) => el('p', { class: 'soft small' }, `${name}: ${why}`));
  return el('details', { class: 'detail-part' }, el('summary', {}, 'All figures'),
    el('dl', { class: 'facts' }, ...rows.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', { class: 'number' }, value)))), ...nulls);
}

function links(told) {
  const { change, event } = told;
  const format = 'geojson';
  return el('div', { class: 'actions links' },
    button('Copy id', () => copy(change.change_id, 'Id'), { class: 'button quiet' }),
    button('Copy link', () => copy(permalink(change.change_id), 'Link'), { class: 'button quiet' }),
    event && el('a', {
      class: 'button quiet', download: '', onclick: download,
      href: `api/download?${new URLSearchParams({ what: 'changes', format, event: event.event_id, v: state.version })}`,
    }, 'Download this event'));
}

async function download(event) {
  event.preventDefault();
  notify('Writing the file\u2026');
  try {
    await save(event.currentTarget.getAttribute('href'));
  } catch (error) {
    notify(error.message, 'error');
  }
}

function permalink(id) {
  const words = new URLSearchParams(location.hash.slice(1));
  words.set('selected', id);
  words.set('panel', 'detail');
  return `${location.origin}${location.pathname}#${words.toString().replaceAll('%2C', ',').replaceAll('%2F', '/')}`;
}

const asked = (id, signal, what = '') =>
  get(`api/change/${encodeURIComponent(id)}${what}?${new URLSearchParams({ v: state.version })}`, { signal });

async function part(place, signal, asking, shown) {
  try {
    shown(await asking);
  } catch (error) {
    if (!signal.aborted) place.replaceChildren(trouble(error));
  }
}

function show(id, told, signal) {
  const chart = new Chart();
  const spectra = el('div', { class: 'spectra' });
  const series = section('Its series', chart.element);
  const body = el('div', { class: 'detail-body' },
    head(told), actions(told),
    strip(id, told.chips, signal, told.event?.n_patches > 1),
    series,
    section('What is known', el('div', { class: 'words' }, ...(told.words || []).map((one) => el('p', {}, one)))),
    section('What the bands did', spectra),
    members(told), facts(told), links(told));
  const astray = document.activeElement === document.body || document.activeElement.closest('#list, #detail h2');
  root().replaceChildren(body);
  if (astray && state.panel === 'detail') body.querySelector('h2').focus({ preventScroll: true });
  part(series, signal, asked(id, signal, '/series'), (answer) => chart.show(answer));
  part(spectra, signal, asked(id, signal, '/spectra'), (answer) => spectra.replaceChildren(bars(answer)));
  const { change, event } = told;
  // A row of an event knows the middle of the event; the mark belongs to the change.
  if (state.place?.longitude !== change.longitude || state.place.latitude !== change.latitude) set({ place: { longitude: change.longitude, latitude: change.latitude, bbox: event?.bbox ?? null } });
}

async function load() {
  const id = state.selected;
  here.stop?.abort();
  here.stop = new AbortController();
  const { signal } = here.stop;
  if (!id) {
    root().replaceChildren(nothing('Nothing is selected', 'Take a row of the list, or a place on the map.',
      button('To the list', () => set({ panel: 'list' }))));
    return;
  }
  root().setAttribute('aria-busy', 'true');
  if (!root().querySelector('.detail-body')) root().replaceChildren(el('p', { class: 'reading soft', role: 'status' }, 'Reading\u2026'));
  try {
    show(id, await asked(id, signal), signal);
  } catch (error) {
    if (!signal.aborted) root().replaceChildren(trouble(error, load));
  } finally {
    if (!signal.aborted) root().removeAttribute('aria-busy');
  }
}

/* One who leafs through the list fast is shown what he stops at. */
function soon() {
  here.stop?.abort(); // a late answer is not of what is selected now
  const hurried = performance.now() - here.last < HURRY;
  here.last = performance.now();
  clearTimeout(here.waiting);
  here.waiting = setTimeout(load, hurried ? HURRY : 0);
}

export function start() {
  on(['selected', 'version'], soon);
  on('judged', () => here.judged?.());
  load();
}

/* The SQL box: one SELECT over the archive's views, with the walls of the shell. */

import { get, post, sending } from './api.js';
import { button, choice, notify, trouble } from './bits.js';
import { el } from './dom.js';
import { save } from './download.js';
import { grid } from './grid.js';
import { key } from './keys.js';
import { count, number } from './say.js';
import { browser } from './schema.js';
import { on, select, set, state } from './state.js';
import { store, stored } from './stored.js';

const EXAMPLES = [
  ['Events that rank first', 'SELECT rank, event_id, start::DATE AS start, n_patches, round(max_score, 1) AS score, label\nFROM events ORDER BY rank LIMIT 20'],
  ['Strongest changes', 'SELECT change_id, onset::DATE AS onset, round(score, 2) AS score, persistence, kind\nFROM changes ORDER BY score DESC LIMIT 50'],
  ['Changes by month', 'SELECT month_of(onset) AS month, count(*) AS changes, round(max(score), 1) AS strongest\nFROM changes GROUP BY month ORDER BY month'],
  ['Kinds and what the indices did', 'SELECT kind, coalesce(name, label) AS called, size, n_events, round(d_ndvi, 2) AS d_ndvi, round(d_nbr, 2) AS d_nbr\nFROM kinds WHERE role = \'kind\' ORDER BY size DESC'],
  ['Changes like the strongest', 'SELECT rank, change_id, round(distance, 3) AS distance, onset::DATE AS onset\nFROM similar_changes((SELECT change_id FROM changes ORDER BY score DESC LIMIT 1), 20)'],
  ['One patch through time', 'SELECT datetime::DATE AS day, round(ndvi, 2) AS ndvi, round(z, 1) AS z, reason\nFROM series((SELECT patch_id FROM changes ORDER BY score DESC LIMIT 1))\nORDER BY datetime'],
  ['Clear share by scene', 'SELECT scene_id, datetime::DATE AS day, count(*) AS patches, round(avg(clear_percent)) AS clear\nFROM observations GROUP BY ALL ORDER BY day'],
];
const FORMATS = [['csv', 'CSV'], ['parquet', 'GeoParquet'], ['gpkg', 'GeoPackage'], ['fgb', 'FlatGeobuf'], ['geojson', 'GeoJSON']];
const MOST = 10_000;
const SHOWN = 2000; // rows that the map draws

const here = { running: false, text: '', format: 'csv' }; // text: what is answered below
const parts = {};
const statement = () => parts.text.value.trim().replace(/;+\s*$/, '');

const follow = {
  change_id: (id) => select({ change_id: id }),
  event_id: async (id) => {
    try {
      const { rows } = await get(`api/events?${new URLSearchParams({ event: id, limit: 1, v: state.version })}`);
      if (rows.length) select(rows[0]);
      else notify(`no event ${id} among those that are shown`, 'error');
    } catch (error) {
      notify(error.message, 'error');
    }
  },
};

async function run() {
  if (here.running || !statement()) return;
  here.running = true;
  const text = statement();
  store('sql', parts.text.value);
  parts.run.disabled = true;
  parts.told.textContent = 'Running\u2026';
  try {
    const answer = await post('api/sql', { text, limit: MOST, v: state.version });
    here.text = text;
    show(answer);
  } catch (error) {
    parts.told.textContent = '';
    parts.answer.replaceChildren(trouble(error));
  } finally {
    here.running = false;
    parts.run.disabled = false;
  }
}

function show(answer) {
  const held = new Set(answer.columns.map((one) => one.name));
  parts.told.textContent = [`${number(answer.seconds, 2)} s`, answer.note].filter(Boolean).join(' \u00b7 ');
  const canShow = answer.rows.length > 0 && (held.has('change_id') || held.has('event_id'));
  parts.answer.replaceChildren(
    grid(answer, follow),
    el('div', { class: 'actions' },
      canShow && button('Show on the map', () => onMap(held.has('change_id') ? 'change_id' : 'event_id')),
      choice('Format', FORMATS, here.format, (value) => { here.format = value; }),
      button('Download', download)));
}

/* The statement's own rows, with the places of their changes beside them. */
const PLACED = {
  change_id: (text) => `SELECT min(asked.nth) AS rank, ${COLUMNS}
FROM (SELECT row_number() OVER () AS nth, change_id FROM (${text}\n)) asked
JOIN changes c ON c.change_id = asked.change_id GROUP BY ALL ORDER BY rank LIMIT ${SHOWN}`,
  event_id: (text) => `SELECT asked.nth AS rank, ${COLUMNS}
FROM (SELECT min(nth) AS nth, event_id FROM (SELECT row_number() OVER () AS nth, event_id FROM (${text}\n)) GROUP BY event_id) asked
JOIN changes c ON c.event_id = asked.event_id
QUALIFY row_number() OVER (PARTITION BY c.event_id ORDER BY c.score DESC) = 1 ORDER BY rank LIMIT ${SHOWN}`,
};
const COLUMNS = ['change_id', 'event_id', 'onset', 'onset_early', 'onset_late', 'score', 'persistence', 'kind', 'longitude', 'latitude']
  .map((name) => `c.${name}`).join(', ');

async function onMap(by) {
  try {
    const { columns, rows } = await post('api/sql', { text: PLACED[by](here.text), limit: SHOWN, v: state.version });
    const told = rows.map((row) => Object.fromEntries(columns.map((one, at) => [one.name, row[at]])));
    set({ search: { search: null, how: 'sql', rows: told, total: told.length, note: `${count(told.length, 'change')} of your statement` }, panel: 'list' });
  } catch (error) {
    notify(error.message, 'error');
  }
}

async function download() {
  try {
    const told = await save('api/sql/download', sending({ text: here.text, format: here.format, v: state.version }));
    const note = told.get('x-note');
    notify([count(Number(told.get('x-rows')), 'row'), note && decodeURIComponent(note)].filter(Boolean).join(' \u00b7 '));
  } catch (error) {
    notify(error.message, 'error');
  }
}

function insert(words) {
  parts.text.setRangeText(words, parts.text.selectionStart, parts.text.selectionEnd, 'end');
  parts.text.focus();
}

export function start() {
  parts.text = el('textarea', {
    class: 'field mono', id: 'sql-text', rows: 6, spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off',
    'aria-label': 'Statement of SQL', placeholder: 'SELECT ... FROM changes',
    onkeydown: (event) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      run();
    },
  });
  parts.text.value = stored('sql') || EXAMPLES[0][1];
  parts.run = button('Run', run, { class: 'button primary', title: 'Ctrl+Enter' });
  parts.told = el('p', { class: 'soft number', role: 'status' });
  parts.answer = el('div', { class: 'sql-answer' });
  const examples = choice('Example', [['', 'Choose\u2026'], ...EXAMPLES.map(([words], at) => [String(at), words])], '', (at) => {
    if (at !== '') parts.text.value = EXAMPLES[Number(at)][1];
    parts.text.focus();
  });
  document.getElementById('sql').append(el('div', { class: 'sql-body' },
    examples, parts.text,
    el('div', { class: 'actions' }, parts.run, el('span', { class: 'soft small' }, 'Ctrl+Enter. One SELECT; nothing is written.'), parts.told),
    browser(insert), parts.answer));
  key('q', 'Ask in SQL', () => { set({ panel: 'sql' }); parts.text.focus(); }, 'Page');
  on('panel', () => { if (state.panel === 'sql' && matchMedia('(min-width: 60rem)').matches) parts.text.focus(); });
}

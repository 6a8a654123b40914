/* Download of what passes the filters, in the files that other tools read. */

import { get, response } from './api.js';
import { choice, dialog, trouble } from './bits.js';
import { el, icon } from './dom.js';
import { key } from './keys.js';
import { count } from './say.js';
import { query, state } from './state.js';

const FORMATS = [
  ['parquet', 'GeoParquet', 'DuckDB, GeoPandas, QGIS'],
  ['gpkg', 'GeoPackage', 'QGIS, ArcGIS'],
  ['fgb', 'FlatGeobuf', 'QGIS, web maps'],
  ['geojson', 'GeoJSON', 'anything; large'],
  ['csv', 'CSV', 'spreadsheets; centres, no outlines'],
];
const ARROW = 'M8 2v8M4.5 7 8 10.5 11.5 7M3 13.5h10';
const chosen = { what: 'events', format: 'gpkg' };

function whats() {
  if (state.search?.search) return [['changes', 'Matches of the search'], ['events', 'Events of the matches']];
  return [['events', 'Events'], ['changes', 'Changes']];
}

/* Name of a file in a content-disposition; one with spaces or accents is written encoded. */
function named(disposition) {
  const encoded = disposition.match(/filename\*=utf-8''([^;]+)/i)?.[1];
  return encoded ? decodeURIComponent(encoded) : disposition.match(/filename="([^"]+)"/)?.[1] || '';
}

/**
 * Save the file that the server answers with, under the name that it gives; answers the headers.
 * A refusal is thrown as the server's own line: a link of its own would only fail in silence.
 */
export async function save(path, options) {
  const answer = await response(path, options);
  const local = URL.createObjectURL(await answer.blob());
  el('a', { href: local, download: named(answer.headers.get('content-disposition') || '') }).click();
  setTimeout(() => URL.revokeObjectURL(local), 10_000);
  return answer.headers;
}

/** Open the dialog. */
export async function open() {
  const link = el('a', { class: 'button primary', download: '' }, icon(ARROW), 'Download');
  const told = el('p', { class: 'number', role: 'status' }, 'Counting\u2026');
  let counts = null;
  let stop = null; // of the file that is under way
  const show = () => {
    if (stop) return;
    link.setAttribute('href', `api/download?${query({ what: chosen.what, format: chosen.format })}`);
    if (counts) told.textContent = `${count(counts[chosen.what], 'row')} with the filters that are set`;
    const empty = counts && !counts[chosen.what];
    link.setAttribute('aria-disabled', String(Boolean(empty)));
    if (empty) { link.removeAttribute('href'); told.textContent = 'Nothing passes the filters; there is nothing to download'; }
  };
  const leave = () => {
    stop?.abort();
    stop = null;
  };
  const turn = (patch) => {
    Object.assign(chosen, patch);
    leave();
    show();
  };
  if (state.search?.search) chosen.what = 'changes';
  const formats = el('fieldset', { class: 'formats' }, el('legend', {}, 'Format'), ...FORMATS.map(([value, words, use]) => {
    const input = el('input', { type: 'radio', name: 'format', value, onchange: () => turn({ format: value }) });
    input.checked = value === chosen.format;
    return el('label', {}, input, el('b', {}, words), el('span', { class: 'soft small' }, use));
  }));
  const box = dialog('Download', 'dialog-small dialog-download',
    choice('What', whats(), chosen.what, (value) => turn({ what: value })), formats, told,
    el('div', { class: 'actions' }, link));
  box.addEventListener('close', leave);
  link.addEventListener('click', async (event) => {
    event.preventDefault();
    if (stop || !link.hasAttribute('href')) return;
    stop = new AbortController();
    const { signal } = stop;
    told.textContent = 'Writing the file\u2026';
    try {
      await save(link.getAttribute('href'), { signal });
      box.close();
    } catch (error) {
      if (signal.aborted) return;
      leave();
      told.replaceChildren(trouble(error));
    }
  });
  show();
  try {
    counts = await get(`api/count?${query()}`);
    show();
  } catch (error) {
    told.replaceChildren(trouble(error));
  }
}

export function start() {
  document.getElementById('tools').prepend(el('button', {
    type: 'button', class: 'button', title: 'Download what passes the filters (e)', onclick: open,
  }, icon(ARROW), el('span', { class: 'tool-words' }, 'Download')));
  key('e', 'Download what passes the filters', () => { open(); }, 'Page');
}

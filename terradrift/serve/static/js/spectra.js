/* Bands and indices before and after, as small bars. */

import { el } from './dom.js';
import { number, signed } from './say.js';

function bar(value, most) {
  const share = most > 0 ? (50 * Math.abs(value)) / most : 0;
  const from = value < 0 ? 50 - share : 50;
  return el('span', { class: `delta ${value < 0 ? 'less' : 'more'}`, 'aria-hidden': 'true' },
    el('span', { style: { left: `${from}%`, width: `${share}%` } }));
}

function table(heads, rows, digits) {
  const known = rows.filter((row) => Number.isFinite(row.delta));
  const most = Math.max(1e-9, ...known.map((row) => Math.abs(row.delta)));
  return el('table', { class: 'plain number bands' },
    el('thead', {}, el('tr', {}, ...heads.map((one) => el('th', { scope: 'col' }, one)))),
    el('tbody', {}, ...rows.map((row) => el('tr', {},
      el('th', { scope: 'row', title: row.wavelength ? `${number(row.wavelength, 3)} \u00b5m` : null }, row.name),
      el('td', {}, number(row.before, digits)), el('td', {}, number(row.after, digits)),
      el('td', {}, Number.isFinite(row.delta) ? bar(row.delta, most) : ''),
      el('td', {}, signed(row.delta, digits))))));
}

const NAMES = { ndvi: 'NDVI', nbr: 'NBR', ndwi: 'NDWI' };

/** The answer of /api/change/{id}/spectra. */
export function bars({ bands, indices, what }) {
  if (![...bands, ...indices].some((one) => Number.isFinite(one.before) || Number.isFinite(one.after))) {
    return el('p', { class: 'soft' }, 'Not known: no scene of the two dates can be read.');
  }
  const rows = (told, name) => told.map((one) => ({ ...one, name: name(one), delta: one.difference }));
  return el('div', { class: 'spectra-tables' },
    bands.length > 0 && table(['Band', 'before', 'after', 'change', ''], rows(bands, (one) => one.band), 3),
    indices.length > 0 && table(['Index', 'before', 'after', 'change', ''], rows(indices, (one) => NAMES[one.index] || one.index), 2),
    el('p', { class: 'soft small' }, `${what[0].toUpperCase()}${what.slice(1)}.`));
}

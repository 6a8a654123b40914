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
      el('th', { scope: 'row' }, row.name),
      el('td', {}, number(row.before, digits)), el('td', {}, number(row.after, digits)),
      el('td', {}, Number.isFinite(row.delta) ? bar(row.delta, most) : ''),
      el('td', {}, signed(row.delta, digits))))));
}

/** The answer of /api/change/{id}/spectra. */
export function bars({ bands, indices }) {
  const rowsOf = (told) => (told || []).map((one) => ({
    ...one, delta: one.before === null || one.after === null ? null : one.after - one.before,
  }));
  return el('div', { class: 'spectra-tables' },
    bands?.length > 0 && table(['Band', 'before', 'after', 'change', ''], rowsOf(bands), 3),
    indices?.length > 0 && table(['Index', 'before', 'after', 'change', ''], rowsOf(indices), 2));
}

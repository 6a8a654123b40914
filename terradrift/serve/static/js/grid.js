/* A table of an answer to SQL: typed columns, pages, and ids that can be followed. */

import { button } from './bits.js';
import { el } from './dom.js';
import { count, number } from './say.js';

const PAGE = 100;
const NUMBER = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*)$/;
const INSTANT = /^TIMESTAMP/;

function worded(value, type) {
  if (value === null || value === undefined) return el('span', { class: 'null faint' }, 'null');
  if (INSTANT.test(type)) return String(value).replace('T', ' ').replace(/(:\d\d)(\.0+)?(Z|\+00:00)$/, '$1').replace(/ 00:00:00$/, '');
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function cell(value, { name, type }, follow) {
  const right = NUMBER.test(type) ? 'right' : null;
  const way = value && follow[name];
  if (way) return el('td', {}, el('button', { type: 'button', class: 'follow', onclick: () => way(value) }, String(value)));
  return el('td', { class: right, title: typeof value === 'string' && value.length > 60 ? value : null }, worded(value, type));
}

/** Columns, rows and what to do with ids: `follow` maps a column's name to a function of its value. */
export function grid({ columns, rows }, follow) {
  const body = el('tbody');
  const told = el('span', { class: 'number soft' });
  const go = (page) => {
    const from = page * PAGE;
    body.replaceChildren(...rows.slice(from, from + PAGE).map((row, at) => el('tr', {},
      el('th', { scope: 'row', class: 'right faint' }, number(from + at + 1)),
      ...row.map((value, of) => cell(value, columns[of], follow)))));
    told.textContent = rows.length > PAGE
      ? `${number(from + 1)} to ${number(Math.min(rows.length, from + PAGE))} of ${count(rows.length, 'row')}` : count(rows.length, 'row');
    back.disabled = page === 0;
    on_.disabled = from + PAGE >= rows.length;
    back.onclick = () => go(page - 1);
    on_.onclick = () => go(page + 1);
  };
  const back = button('Back', null);
  const on_ = button('On', null);
  const pager = el('div', { class: 'actions pager' }, told, rows.length > PAGE && back, rows.length > PAGE && on_);
  const table = el('table', { class: 'plain grid number' },
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, el('span', { class: 'sr' }, 'row')), ...columns.map(({ name, type }) =>
      el('th', { scope: 'col', class: NUMBER.test(type) ? 'right' : null, title: type }, name, el('span', { class: 'type faint' }, type.toLowerCase()))))),
    body);
  go(0);
  return el('div', { class: 'answer' }, pager,
    el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Rows of the answer' }, table));
}

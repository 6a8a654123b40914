/* Views and columns that SQL can ask, with units and meanings. */

import { get } from './api.js';
import { trouble } from './bits.js';
import { el } from './dom.js';

function columns(view, insert) {
  return el('ul', { class: 'columns' }, ...view.columns.map((one) => el('li', {},
    el('button', { type: 'button', class: 'follow mono', title: 'Put this name into the statement', onclick: () => insert(one.name) }, one.name),
    el('span', { class: 'faint small' }, `${one.type.toLowerCase()}, ${one.unit}`),
    el('span', { class: 'soft small' }, `${one.meaning}.`, one.null === 'never' ? '' : ` Null: ${one.null}.`))));
}

function shown(view, insert) {
  const details = el('details', {}, el('summary', {}, el('span', { class: 'mono' }, view.name), el('span', { class: 'soft small' }, ` ${view.row}`)));
  details.addEventListener('toggle', () => {
    if (details.open && details.children.length === 1) details.append(columns(view, insert));
  });
  return details;
}

const listed = (title, pairs) => el('details', {}, el('summary', {}, title),
  el('ul', { class: 'columns' }, ...pairs.map(([name, words]) => el('li', {},
    el('span', { class: 'mono' }, name), el('span', { class: 'soft small' }, words)))));

/** A browser of the schema; `insert(name)` puts a name into the statement. */
export function browser(insert) {
  const place = el('div', { class: 'schema' });
  const details = el('details', { class: 'schema-all' }, el('summary', {}, 'Views and columns'), place);
  const load = async () => {
    try {
      const { views, functions, units } = await get('api/sql/schema');
      place.replaceChildren(...views.map((view) => shown(view, insert)),
        listed('Functions', functions.map((one) => [one.call, `${one.meaning} Gives ${one.gives}.`])),
        listed('Units', Object.entries(units)));
    } catch (error) {
      place.replaceChildren(trouble(error, load));
    }
  };
  details.addEventListener('toggle', () => { if (details.open && !place.children.length) load(); });
  return details;
}

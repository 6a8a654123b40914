/* Views and columns that SQL can ask, with units and meanings. */

import { get } from './api.js';
import { trouble } from './bits.js';
import { el } from './dom.js';
import { state } from './state.js';

function columns(view, insert) {
  return el('ul', { class: 'columns' }, ...view.columns.map((one) => el('li', {},
    el('button', { type: 'button', class: 'follow mono', title: 'Put this name into the statement', onclick: () => insert(one.column) }, one.column),
    el('span', { class: 'faint small' }, [one.type?.toLowerCase(), one.unit].filter(Boolean).join(', ')),
    el('span', { class: 'soft small' }, one.meaning, one.null_when && one.null_when !== 'never' ? ` Null: ${one.null_when}.` : ''))));
}

function shown(view, insert) {
  const details = el('details', {}, el('summary', {}, el('span', { class: 'mono' }, view.view), el('span', { class: 'soft small' }, ` ${view.row || ''}`)));
  details.addEventListener('toggle', () => {
    if (details.open && details.children.length === 1) details.append(columns(view, insert));
  });
  return details;
}

/** A browser of the schema; `insert(name)` puts a name into the statement. */
export function browser(insert) {
  const place = el('div', { class: 'schema' });
  const details = el('details', { class: 'schema-all' }, el('summary', {}, 'Views and columns'), place);
  const load = async () => {
    try {
      const { views, functions = [] } = await get(`api/sql/schema?${new URLSearchParams({ v: state.version })}`);
      place.replaceChildren(...views.map((view) => shown(view, insert)),
        functions.length > 0 && el('details', {}, el('summary', {}, 'Functions'),
          el('ul', { class: 'columns' }, ...functions.map((one) => el('li', {},
            el('span', { class: 'mono' }, one.call), el('span', { class: 'soft small' }, one.meaning))))));
    } catch (error) {
      place.replaceChildren(trouble(error, load));
    }
  };
  details.addEventListener('toggle', () => { if (details.open && !place.children.length) load(); });
  return details;
}

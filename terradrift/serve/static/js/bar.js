/* The header: what is shown, how it is coloured, and the page's tools. */

import { el, icon, number } from './dom.js';
import { state } from './state.js';
import { next } from './theme.js';

const MOON = 'M13.5 9.5A5.5 5.5 0 0 1 6.5 2.5a5.5 5.5 0 1 0 7 7Z';

export function start() {
  const { archive } = state;
  const changes = archive.counts?.changes;
  document.getElementById('bar').append(
    el('h1', { class: 'brand' }, archive.name),
    el('span', { class: 'soft small', id: 'holds' }, archive.model, changes === undefined ? '' : ` · ${number(changes)} changes`),
    el('div', { id: 'tools' }, el('button', {
      class: 'button quiet icon', type: 'button', 'aria-label': 'Light or dark', title: 'Light or dark (t)', onclick: next,
    }, icon(MOON))),
  );
}

/* The header: what is shown, and the page's tools; at small widths what opens the drawers. */

import { el, icon, number } from './dom.js';
import { key } from './keys.js';
import { on, state } from './state.js';
import { next, onTurn, shown } from './theme.js';

const MOON = 'M13.5 9.5A5.5 5.5 0 0 1 6.5 2.5a5.5 5.5 0 1 0 7 7Z';
const SUN =
  'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1';
const HALF = 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM8 2v12M8 5h4.8M8 8h6M8 11h4.8';
const LAYERS = 'M8 2l6 3-6 3-6-3ZM2 8l6 3 6-3M2 11l6 3 6-3';
const FUNNEL = 'M2 3h12l-4.5 5.5V13l-3-1.5v-3Z';

const holds = el('p', { id: 'holds', class: 'soft small number' });
const name = el('h1', { class: 'brand' });
const theme = el('button', { class: 'button quiet icon', type: 'button', onclick: next });

function show() {
  const { name: called, model, patch_size: size, dates, counts } = state.archive;
  name.textContent = called;
  const parts = [model, size && `${number(size)} m patches`];
  if (dates?.first) parts.push(`${dates.first.slice(0, 7)} \u2013 ${dates.last.slice(0, 7)}`);
  if (counts) parts.push(`${number(counts.observations)} observations`);
  holds.textContent = parts.filter(Boolean).join('  \u00b7  ');
  holds.title = holds.textContent;
}

function showTheme() {
  const words = { auto: 'as the system', light: 'light', dark: 'dark' }[state.theme];
  theme.replaceChildren(icon(state.theme === 'auto' ? HALF : shown() === 'dark' ? MOON : SUN));
  theme.setAttribute('aria-label', `Theme: ${words}`);
  theme.title = `Theme: ${words} (t)`;
}

/** Open a drawer of small widths: 'legend', 'filters', or none (''). */
export function openDrawer(which) {
  document.body.dataset.drawer = which;
  document
    .querySelectorAll('.opens')
    .forEach((one) => one.setAttribute('aria-expanded', String(one.dataset.opens === which)));
}

const opens = (which, words, d) =>
  el(
    'button',
    {
      class: 'button quiet icon opens',
      type: 'button',
      'aria-label': words,
      title: words,
      'aria-expanded': 'false',
      'aria-controls': which,
      'data-opens': which,
      onclick: () => openDrawer(document.body.dataset.drawer === which ? '' : which),
    },
    icon(d),
  );

export function start() {
  document
    .getElementById('bar')
    .append(
      name,
      holds,
      el(
        'div',
        { id: 'tools' },
        opens('legend', 'Legend', LAYERS),
        opens('filters', 'Filters', FUNNEL),
        theme,
      ),
    );
  show();
  showTheme();
  on('archive', show);
  on('theme', showTheme);
  onTurn(showTheme);
  document.getElementById('map').addEventListener('pointerdown', () => {
    if (document.body.dataset.drawer) openDrawer('');
  });
  key('Escape', null, () => {
    if (!document.body.dataset.drawer) return false;
    openDrawer('');
    return true;
  });
}

/* The side panel: tabs, its width, and at small widths a sheet from below. */

import { el, icon } from './dom.js';
import { key } from './keys.js';
import { on, set, state } from './state.js';
import { store, stored } from './stored.js';

const TABS = [
  ['list', 'Changes'],
  ['detail', 'Detail'],
  ['sql', 'SQL'],
];
const NARROWEST = 320;

const side = document.getElementById('side');
const grip = document.getElementById('grip');
const tabs = {};

function show() {
  for (const [name, tab] of Object.entries(tabs)) {
    const chosen = name === state.panel;
    tab.setAttribute('aria-selected', String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    document.getElementById(name).hidden = !chosen;
  }
}

function along(event) {
  const names = TABS.map(([name]) => name);
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = (names.indexOf(state.panel) + step + names.length) % names.length;
  set({ panel: names[at] });
  tabs[names[at]].focus();
}

const widest = () => Math.max(NARROWEST, Math.min(760, innerWidth - 520));

function tellWidth(now) {
  grip.setAttribute('aria-valuenow', String(now));
  grip.setAttribute('aria-valuemin', String(NARROWEST));
  grip.setAttribute('aria-valuemax', String(widest()));
}

function widen(width) {
  const now = Math.round(Math.min(widest(), Math.max(NARROWEST, width)));
  document.documentElement.style.setProperty('--side', `${now}px`);
  tellWidth(now);
  store('side', String(now));
}

function drag(event) {
  grip.setPointerCapture(event.pointerId);
  const move = (moved) => widen(innerWidth - moved.clientX);
  const end = new AbortController();
  grip.addEventListener('pointermove', move, { signal: end.signal });
  for (const name of ['pointerup', 'pointercancel'])
    grip.addEventListener(name, () => end.abort(), { signal: end.signal });
}

const HEIGHTS = ['down', 'half', 'full'];
const UP = 'M3 10l5-5 5 5';
const DOWN = 'M3 6l5 5 5-5';
const SWIPE = 36; // px

const raise = el('button', {
  type: 'button',
  class: 'button quiet icon raise',
  onclick: () => sheet(HEIGHTS[(HEIGHTS.indexOf(side.dataset.sheet) + 1) % HEIGHTS.length]),
});

/** Sheet of small widths: 'down' (tabs alone), 'half' or 'full'. */
export function sheet(height) {
  side.dataset.sheet = height;
  const full = height === 'full';
  raise.replaceChildren(icon(full ? DOWN : UP));
  raise.setAttribute('aria-label', full ? 'Lower the panel' : 'Raise the panel');
}

function swipe(event) {
  if (event.pointerType === 'mouse') return;
  const from = event.clientY;
  const now = HEIGHTS.indexOf(side.dataset.sheet);
  const over = new AbortController();
  const end = ({ clientY }) => {
    over.abort();
    const by = from - clientY;
    if (Math.abs(by) > SWIPE) sheet(HEIGHTS[Math.max(0, Math.min(2, now + Math.sign(by)))]);
  };
  addEventListener('pointerup', end, { signal: over.signal });
  addEventListener('pointercancel', () => over.abort(), { signal: over.signal });
}

export function start() {
  for (const [name, words] of TABS) {
    tabs[name] = el(
      'button',
      {
        id: `tab-${name}`,
        role: 'tab',
        type: 'button',
        class: 'tab',
        'aria-controls': name,
        onclick: () => {
          set({ panel: name });
          if (side.dataset.sheet === 'down') sheet('half');
        },
      },
      words,
    );
  }
  const bar = document.getElementById('tabs');
  bar.append(...Object.values(tabs));
  bar.after(raise); // no tab: beside the list of them
  bar.addEventListener('pointerdown', swipe);
  bar.addEventListener('keydown', along);
  grip.setAttribute('aria-label', 'Width of the side panel');
  grip.setAttribute('aria-orientation', 'vertical');
  grip.addEventListener('pointerdown', drag);
  grip.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: 24, ArrowRight: -24 }[event.key];
    if (by) widen(side.offsetWidth + by);
  });
  tellWidth(side.offsetWidth);
  const kept = Number(stored('side'));
  if (kept) widen(kept);
  sheet('down');
  show();
  on('panel', show);
  on('selected', () => {
    if (state.selected && side.dataset.sheet === 'down') sheet('half');
  });
  key('Escape', null, () => {
    if (side.dataset.sheet === 'down' || !matchMedia('(max-width: 760px)').matches) return false;
    sheet('down');
    return true;
  });
}

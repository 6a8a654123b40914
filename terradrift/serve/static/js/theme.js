/* Dark, light, or as the system is; remembered in the browser. */

import { key } from './keys.js';
import { on, set, state } from './state.js';
import { store, stored } from './stored.js';

const NEXT = { auto: 'light', light: 'dark', dark: 'auto' };
const system = matchMedia('(prefers-color-scheme: dark)');

/** 'dark' or 'light': what is shown now. */
export function shown() {
  if (state.theme !== 'auto') return state.theme;
  return system.matches ? 'dark' : 'light';
}

export const next = () => set({ theme: NEXT[state.theme] });

const turned = [];

/** Call `hear('dark' | 'light')` whenever what is shown turns. */
export const onTurn = (hear) => turned.push(hear);

function show() {
  const now = shown();
  if (document.documentElement.dataset.theme === now) return;
  document.documentElement.dataset.theme = now;
  turned.forEach((hear) => hear(now));
}

export function start() {
  const kept = stored('theme');
  if (kept in NEXT) set({ theme: kept });
  show();
  system.addEventListener('change', show);
  on('theme', () => {
    store('theme', state.theme);
    show();
  });
  key('t', 'Light, dark, or as the system is', next);
}

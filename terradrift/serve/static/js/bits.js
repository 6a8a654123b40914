/* Small things that panels share: buttons, choices, dialogs, and lines that say what went wrong. */

import { el, icon } from './dom.js';

/** Word and icon of each verdict. */
export const THUMBS = {
  yes: ['Yes', 'M5 7v6.5M5 7l2.6-5c1 0 1.7.8 1.5 1.8L8.7 6.5h3.6c.9 0 1.5.8 1.3 1.7l-1 4.2c-.2.7-.7 1.1-1.4 1.1H2.5V7H5Z'],
  no: ['No', 'M11 9V2.5M11 9l-2.6 5c-1 0-1.7-.8-1.5-1.8l.4-2.7H3.7c-.9 0-1.5-.8-1.3-1.7l1-4.2C3.6 2.9 4.1 2.5 4.8 2.5h8.7V9H11Z'],
};

const CROSS = 'M4 4l8 8M12 4l-8 8';

export const button = (words, run, attributes = {}) =>
  el('button', { type: 'button', class: 'button', onclick: run, ...attributes }, words);

/** A button of one icon; `words` are its name and tooltip. */
export const iconButton = (d, words, run, attributes = {}) => el('button', {
  type: 'button', class: 'button quiet icon', 'aria-label': words, title: words, onclick: run, ...attributes,
}, icon(d));

export const closeButton = (words, run) => iconButton(CROSS, words, run);

/** What went wrong in the server's own line, with a button that tries again. */
export function trouble(error, again) {
  return el('div', { class: 'trouble', role: 'alert' },
    el('p', {}, error.message || String(error)),
    again && button('Try again', again));
}

/** A place where there is nothing: what that means, and what to do. */
export function nothing(title, words, ...actions) {
  return el('div', { class: 'nothing' },
    el('p', { class: 'nothing-title' }, title), words && el('p', { class: 'soft' }, words), ...actions);
}

/** A labelled choice of one from few; `options` are [value, words]. */
export function choice(label, options, value, hear, attributes = {}) {
  const select = el('select', { class: 'field', ...attributes, onchange: () => hear(select.value) },
    ...options.map(([of, words]) => el('option', { value: of }, words)));
  select.value = value;
  return el('label', { class: 'choice' }, el('span', { class: 'choice-label' }, label), select);
}

let dialogs = 0;

/** Open a dialog over the page; Escape, the cross and a click beside it close it. */
export function dialog(title, kind, ...children) {
  const before = document.activeElement;
  const id = `dialog-${dialogs += 1}`;
  const box = el('dialog', { class: `dialog ${kind}`, 'aria-labelledby': id },
    el('header', {}, el('h2', { id }, title), closeButton('Close', () => box.close())),
    el('div', { class: 'dialog-body' }, ...children));
  box.addEventListener('close', () => {
    box.remove();
    if (before?.isConnected) before.focus();
  });
  box.addEventListener('keydown', (event) => event.stopPropagation());
  box.addEventListener('pointerdown', (event) => { if (event.target === box) box.close(); });
  document.body.append(box);
  box.showModal();
  return box;
}

/** Say something once to those who hear the page, and for a moment to those who see it. Answers the line. */
export function notify(words, kind = 'told') {
  let place = document.getElementById('told');
  if (!place) {
    place = el('div', { id: 'told', role: 'status', 'aria-live': 'polite' });
    document.body.append(place);
  }
  const line = el('p', { class: kind }, words);
  place.replaceChildren(line);
  clearTimeout(notify.clock);
  notify.clock = setTimeout(() => line.remove(), kind === 'error' ? 8000 : 3500);
  return line;
}

/** Copy a text and say so. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    notify(`${what} copied`);
  } catch {
    notify(`${what} could not be copied: ${text}`, 'error');
  }
}

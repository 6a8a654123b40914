/* Pictures of a change: before, after and their difference; larger ones, to swipe between. */

import { dialog } from './bits.js';
import { el } from './dom.js';
import { gradient } from './scales.js';
import { day, signed } from './say.js';
import { state } from './state.js';

const SMALL = 256;
const LARGE = 768;
const WORDS = { before: 'Before', after: 'After', difference: 'Difference' };

const url = (id, which, size) =>
  `api/change/${encodeURIComponent(id)}/chip/${which}.png?${new URLSearchParams({ size, v: state.version })}`;

async function picture(image, address, signal) {
  try {
    const response = await fetch(address, { signal });
    if (!response.ok) {
      const words = await response.json().then((answer) => answer.error, () => response.statusText);
      throw new Error(words);
    }
    const local = URL.createObjectURL(await response.blob());
    image.addEventListener('load', () => URL.revokeObjectURL(local), { once: true });
    image.src = local;
    image.alt = image.dataset.words;
    image.classList.remove('waiting');
  } catch (error) {
    if (signal?.aborted) return;
    image.replaceWith(el('span', { class: 'chip-none' }, error.message));
  }
}

/** The scale of the difference: its colours, what they are of, and what grey is. */
function scale(difference) {
  if (!difference) return null;
  const { of, low, high, colours, meaning } = difference;
  return el('div', { class: 'scale', title: meaning },
    el('span', { class: 'number' }, signed(low, 1)),
    el('span', { class: 'scale-bar', role: 'img', 'aria-label': meaning, style: { background: gradient(colours) } }),
    el('span', { class: 'number' }, signed(high, 1)),
    el('span', { class: 'soft' }, `${of}, after less before`));
}

function large(id, chips, first) {
  const layers = {};
  for (const which of Object.keys(WORDS)) {
    layers[which] = el('img', { class: 'layer waiting', alt: '', 'data-words': `${WORDS[which]}, ${caption(chips, which)}`, draggable: 'false' });
  }
  for (const [which, image] of Object.entries(layers)) picture(image, url(id, which, LARGE));
  const meaning = el('p', { class: 'soft small' }, chips.difference?.meaning || '');
  const range = el('input', { type: 'range', min: 0, max: 100, value: 50, class: 'swipe-range', 'aria-label': 'Swipe: left of the line before, right of it after' });
  const line = el('div', { class: 'swipe-line', 'aria-hidden': 'true' });
  const stage = el('div', { class: 'stage' }, layers.before, layers.after, layers.difference, line);
  const tags = [el('span', { class: 'stage-tag left' }, `Before \u00b7 ${day(chips.before)}`), el('span', { class: 'stage-tag right' }, `After \u00b7 ${day(chips.after)}`)];
  stage.append(...tags);
  const at = (percent) => {
    layers.after.style.setProperty('clip-path', `inset(0 0 0 ${percent}%)`);
    line.style.setProperty('left', `${percent}%`);
  };
  const rest = (mode) => at({ swipe: Number(range.value), before: 100, after: 0, difference: 0 }[mode]);
  const show = (mode) => {
    stage.dataset.mode = mode;
    for (const one of modes.children) one.setAttribute('aria-pressed', String(one.dataset.mode === mode));
    range.disabled = mode !== 'swipe';
    rest(mode);
    meaning.hidden = mode !== 'difference';
  };
  const modes = el('div', { class: 'switch', role: 'group', 'aria-label': 'Picture' },
    ...[['swipe', 'Swipe'], ['before', 'Before'], ['after', 'After'], ['difference', 'Difference']].map(([mode, words]) =>
      el('button', { type: 'button', class: 'button quiet', 'data-mode': mode, onclick: () => show(mode) }, words)));
  range.addEventListener('input', () => at(Number(range.value)));
  const drag = (event) => {
    if (stage.dataset.mode !== 'swipe') return;
    const box = stage.getBoundingClientRect();
    range.value = Math.round((100 * (event.clientX - box.left)) / box.width);
    at(Number(range.value));
  };
  stage.addEventListener('pointerdown', (event) => { stage.setPointerCapture(event.pointerId); drag(event); });
  stage.addEventListener('pointermove', (event) => { if (stage.hasPointerCapture(event.pointerId)) drag(event); });
  const box = dialog('Before and after', 'dialog-chips', modes, stage, range,
    el('p', { class: 'soft small' }, 'Drag across the picture, or use the arrow keys; hold the space bar to see the state before.'), meaning);
  const held = (act) => (event) => {
    if (event.key !== ' ' || event.target.closest('button')) return;
    event.preventDefault();
    if (!event.repeat && stage.dataset.mode !== 'difference') act();
  };
  box.addEventListener('keydown', held(() => at(100)));
  box.addEventListener('keyup', held(() => rest(stage.dataset.mode)));
  show(first === 'difference' ? 'difference' : 'swipe');
  range.focus();
}

const caption = (chips, which) =>
  (which === 'difference' ? chips.difference?.of || 'after less before' : day(chips[which]));

/* What the lines in the pictures are. */
const outlines = (whole) => el('p', { class: 'outlines soft small' },
  el('span', { class: 'outline-patch', 'aria-hidden': 'true' }), 'this patch',
  ...(whole ? [el('span', { class: 'outline-event', 'aria-hidden': 'true' }), 'its event'] : []));

/**
 * The three pictures of a change, side by side; `chips` as /api/change/{id} tells them, `whole`
 * where its event has more patches, so that its outline is drawn too.
 */
export function strip(id, chips, signal, whole = false) {
  if (!chips?.source) {
    return el('div', { class: 'chip-none chip-none-all' }, 'No pictures: the scenes are not where they were, and no thumbnails were kept.');
  }
  const figures = Object.entries(WORDS).map(([which, words]) => {
    const image = el('img', { class: 'waiting', alt: '', 'data-words': `${words}, ${caption(chips, which)}`, width: SMALL, height: SMALL });
    picture(image, url(id, which, SMALL), signal);
    const scene = chips.scenes?.[which];
    return el('figure', { class: 'change-chip' },
      el('button', { type: 'button', class: 'chip-open', 'aria-label': `Enlarge: ${words}, ${caption(chips, which)}`, onclick: () => large(id, chips, which) }, image),
      el('figcaption', {}, el('b', {}, words), el('span', { class: 'number' }, caption(chips, which)),
        scene && el('span', { class: 'scene faint', title: scene }, scene)));
  });
  return el('div', { class: 'chips-of' },
    el('div', { class: 'change-chips' }, ...figures),
    scale(chips.difference),
    outlines(whole),
    ...(chips.notes || []).map((note) => el('p', { class: 'soft small' }, note)),
    chips.source === 'cache' && el('p', { class: 'soft small' }, 'From cached thumbnails: the scenes themselves are not where they were.'));
}

/* What colours mean; a class that is pressed filters by it. */

import { openDrawer } from './bar.js';
import { el, number } from './dom.js';
import { key } from './keys.js';
import { kindsInOrder, onsetRange, regimesInOrder, scoreSteps } from './paint.js';
import { CIVIDIS, INKS, PLASMA, classLook, dayOf, gradient } from './scales.js';
import { filter, on, set, state } from './state.js';
import { sizes } from './sizes.js';
import { onTurn, shown } from './theme.js';

const COLOURS = [
  ['score', 'Score', () => true],
  ['kind', 'Kind', () => state.archive.has.kinds],
  ['event', 'Event', () => state.archive.has.events],
  ['onset', 'Onset', () => true],
  ['taxonomy', 'Regime', () => state.archive.has.taxonomy],
];
const FIRST = 10; // classes that are shown before "all"

const place = document.getElementById('legend');
const open = new Set(); // lists of classes that are shown to their end

const swatch = (nth) => {
  if (nth < 0) return el('span', { class: 'swatch none', 'aria-hidden': 'true' });
  const { colour, look } = classLook(nth, shown());
  return el('span', { class: `swatch ${look}`, style: { '--of': colour }, 'aria-hidden': 'true' });
};

const plain = (colour, words) =>
  el(
    'p',
    { class: 'key small soft' },
    el('span', { class: 'swatch', style: { '--of': colour }, 'aria-hidden': 'true' }),
    words,
  );

/** A scale; `marks` are [value, what it is?] at equal steps along it. */
function scale(colours, marks, words) {
  return [
    el('p', { class: 'small soft' }, words),
    el('div', {
      class: 'ramp',
      style: { background: gradient(colours) },
      role: 'img',
      'aria-label': `${words}: ${marks.map((mark) => mark.join(' ')).join(', ')}`,
    }),
    el(
      'div',
      { class: 'ends number small' },
      ...marks.map(([value, what]) => el('span', {}, value, what && el('span', { class: 'faint' }, what))),
    ),
  ];
}

function row({ nth, value, words, count, chosen, any, press }) {
  return el(
    'li',
    {},
    el(
      'button',
      {
        type: 'button',
        class: `class${any && !chosen ? ' off' : ''}`,
        'aria-pressed': String(chosen),
        onclick: () => press(value),
        title: words,
      },
      swatch(nth),
      el('span', { class: 'class-name' }, words),
      el('span', { class: 'number faint' }, count),
    ),
  );
}

function classList(rows, words, again = show) {
  const all = open.has(words);
  const shownRows = all ? rows : rows.slice(0, FIRST);
  const rest = rows.length - FIRST;
  return [
    el('ul', { class: 'classes', 'aria-label': words }, ...shownRows.map(row)),
    rest > 0 &&
      el(
        'button',
        {
          type: 'button',
          class: 'link',
          onclick: () => {
            if (!open.delete(words)) open.add(words);
            again();
          },
        },
        all ? 'Fewer' : `${number(rest)} more`,
      ),
  ];
}

/** How many of a class pass, as words: of classes that a filter leaves out nothing is said. */
export function passing(counts, value, chosen, all) {
  if (chosen.length && !chosen.includes(value)) return '';
  return number(counts ? (counts[value] ?? 0) : all);
}

export const toggled = (values, value) =>
  values.includes(value) ? values.filter((one) => one !== value) : [...values, value];

/** Kinds with their swatches and how many pass; pressing filters. `again` shows them anew. */
export function kinds(again) {
  const chosen = state.filters.kinds;
  const press = (kind) => filter({ kinds: toggled(state.filters.kinds, kind) });
  const of = (kind, size) => passing(state.count?.kinds, kind, chosen, size);
  const ordered = kindsInOrder();
  const rows = ordered.map(({ kind, name, label, size }, nth) => ({
    nth,
    value: kind,
    words: name || label || `Kind ${kind}`,
    count: of(kind, size),
    chosen: chosen.includes(kind),
    any: chosen.length > 0,
    press,
  }));
  const none = state.archive.counts.changes - ordered.reduce((sum, { size }) => sum + size, 0);
  if (none > 0)
    rows.push({
      nth: -1,
      value: -1,
      words: 'of no kind',
      count: of(-1, none),
      chosen: chosen.includes(-1),
      any: chosen.length > 0,
      press,
    });
  return classList(rows, 'Kinds of change; press to filter', again).filter(Boolean);
}

function regimes() {
  const press = (regime) => set({ isolated: toggled(state.isolated, regime) });
  const rows = regimesInOrder().map(({ regime, label, size }, nth) => ({
    nth,
    value: regime,
    words: label || `Regime ${regime}`,
    count: number(size),
    chosen: state.isolated.includes(regime),
    any: state.isolated.length > 0,
    press,
  }));
  return [
    ...classList(rows, 'Regimes of patches; press to show alone'),
    el(
      'p',
      { class: 'small faint' },
      'Patches by their whole history; pressing shows some alone, the changes stay.',
    ),
  ];
}

function meaning() {
  const ink = INKS[shown()];
  if (state.colour === 'kind') return kinds();
  if (state.colour === 'taxonomy') return regimes();
  if (state.colour === 'onset')
    return scale(
      PLASMA,
      onsetRange().map((n) => [dayOf(n).slice(0, 7)]),
      'Month of onset',
    );
  if (state.colour === 'event')
    return [
      el(
        'p',
        { class: 'small soft' },
        'Outlines are events: changes connected in space and time. Numbers are ranks; ' +
          'colours go round and only tell neighbours apart.',
      ),
      plain(ink.ink, 'a change'),
    ];
  if (!state.archive.counts?.changes)
    return [el('p', { class: 'small soft' }, 'No change was found, so no score has a colour.')];
  const steps = scoreSteps();
  const marks = [
    [0, 'lowest'],
    [2, 'half'],
    [4, 'top 10 %'],
    [6, 'top 1 %'],
    [8, 'highest'],
  ];
  return scale(
    CIVIDIS,
    marks.map(([nth, what]) => [steps[nth].toPrecision(3), what]),
    'Score of a change, no unit',
  );
}

function choices() {
  return el(
    'div',
    { class: 'segments', role: 'radiogroup', 'aria-label': 'Colour by' },
    ...COLOURS.filter(([, , has]) => has()).map(([value, words]) =>
      el(
        'label',
        { class: 'segment' },
        el('input', {
          type: 'radio',
          name: 'colour',
          value,
          checked: state.colour === value,
          onchange: () => {
            open.clear();
            set({ colour: value });
          },
        }),
        el('span', {}, words),
      ),
    ),
  );
}

const check = (words, key_, hint) =>
  el(
    'label',
    { class: 'check', title: hint },
    el('input', {
      type: 'checkbox',
      checked: state[key_],
      onchange: (event) => set({ [key_]: event.target.checked }),
    }),
    el('span', {}, words),
  );

function layers() {
  const opacity = el('input', {
    type: 'range',
    min: 0.1,
    max: 1,
    step: 0.05,
    value: state.backdropOpacity,
    'aria-label': 'Opacity of the backdrop',
    oninput: (event) => set({ backdropOpacity: Number(event.target.value) }),
  });
  return el(
    'fieldset',
    { class: 'layers' },
    el('legend', { class: 'sr' }, 'Layers'),
    state.backdrop &&
      el(
        'div',
        { class: 'row' },
        check(
          `Scenes, ${String(state.backdrop.datetime).slice(0, 10)}`,
          'backdropOn',
          'A mosaic of clear scenes',
        ),
        opacity,
      ),
    state.archive.has.events &&
      check('Outlines of events', 'outlines', 'Changes connected in space and time'),
    check(
      'Patches looked at',
      'ground',
      'All patches of the archive; grey where a history could not be judged',
    ),
    (state.ground || state.colour === 'taxonomy') &&
      plain(
        INKS[shown()].unjudged,
        state.colour === 'taxonomy' ? 'grey: of no regime' : 'grey: patches; full where not judged',
      ),
  );
}

const body = el('div', { class: 'block' });
const under = el('div', { class: 'block' });

/** Fill a place anew by `fill`; what had the focus in it has it again. */
export function refilled(within, fill) {
  const all = () => [...within.querySelectorAll('button, input')];
  const focused = all().indexOf(document.activeElement);
  fill();
  if (focused >= 0) all()[focused]?.focus();
}

const show = () => refilled(place, fill);

function fill() {
  const shownMatches = state.search
    ? el(
        'div',
        { class: 'matches' },
        ...scale(
          [...CIVIDIS].reverse(),
          [
            ['1', 'nearest'],
            [number(state.search.total), 'farthest'],
          ],
          'Matches by rank; the rest is dimmed',
        ),
      )
    : null;
  body.replaceChildren(
    ...[el('h2', { class: 'sr' }, 'Legend'), shownMatches, choices(), meaning(), sizes].flat().filter(Boolean),
  );
  under.replaceChildren(layers());
}

export function start() {
  place.append(body, under);
  show();
  on(['colour', 'filters', 'isolated', 'archive', 'search', 'backdrop', 'ground', 'count'], show);
  onTurn(show);
  key('l', 'To the legend', () => {
    openDrawer('legend');
    (place.querySelector('input:checked') ?? place).focus();
  });
}

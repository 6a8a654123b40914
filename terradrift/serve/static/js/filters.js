/* What is shown of the archive: fields that set the filters, and chips that tell and undo them. */

import { el, number } from './dom.js';
import { limitToView, paste, unlimit } from './area.js';
import { openDrawer } from './bar.js';
import { begin } from './draw.js';
import { key } from './keys.js';
import { kinds, passing, refilled, toggled } from './legend.js';
import { scoreRange } from './paint.js';
import { close } from './similar.js';
import { NO_FILTERS, filter, on, set, state } from './state.js';
import { onTurn } from './theme.js';

const WORDS = {
  persistent: 'lasted',
  transient: 'came back',
  gradual: 'came gradually',
  seasonal: 'moved the season',
};
const place = document.getElementById('filters');
const since = el('input', { type: 'date', class: 'field', 'aria-label': 'Onset from' });
const until = el('input', { type: 'date', class: 'field', 'aria-label': 'Onset until' });
const score = el('input', { type: 'range', id: 'min-score' });
const scoreSaid = el('output', { class: 'number', for: 'min-score' });
const ofKind = el('div');
const kindBlock = el('div', { class: 'block' }, el('h3', {}, 'Kind'), ofKind);
const persistence = el('ul', { class: 'classes', 'aria-label': 'How long it lasted; press to filter' });
const told = el('p', { class: 'passing number', role: 'status' });
const area = el('div', { class: 'block-area' });

/** Chips of what is filtered, over the map. */
const chips = el('ul', { id: 'active', 'aria-label': 'Filters that are on' });

const button = (words, run, attributes = {}) =>
  el('button', { type: 'button', class: 'button', onclick: run, ...attributes }, words);

const kindName = (kind) => {
  if (kind === -1) return 'of no kind';
  const row = state.archive.kinds?.find((one) => one.kind === kind);
  return row?.name || row?.label || `kind ${kind}`;
};

const period = ({ since: a, until: b }) =>
  a && b ? `Onset ${a} \u2013 ${b}` : a ? `Onset since ${a}` : `Onset until ${b}`;

function active() {
  const { filters: f, search } = state;
  const said = [];
  const add = (words, undo) => said.push({ words, undo });
  if (f.since || f.until) add(period(f), () => filter({ since: null, until: null }));
  f.kinds.forEach((kind) => add(kindName(kind), () => filter({ kinds: toggled(state.filters.kinds, kind) })));
  f.persistence.forEach((one) =>
    add(WORDS[one] ?? one, () => filter({ persistence: toggled(state.filters.persistence, one) })),
  );
  if (f.minScore > 0) add(`Score \u2265 ${f.minScore}`, () => filter({ minScore: 0 }));
  if (f.region) add(`Area ${said_km2(state.area?.area_km2)}`, unlimit);
  if (f.event) add(`Event ${f.event.replace(/^event-/, '')}`, () => filter({ event: null }));
  if (search) add(`${search.how === 'sql' ? 'SQL' : 'Similar'}: ${number(search.total)} matches`, close);
  return said;
}

const said_km2 = (km2) =>
  km2 === undefined || km2 === null ? '' : `${km2 < 10 ? km2.toFixed(2) : number(Math.round(km2))} km\u00b2`;

function clear() {
  set({ filters: NO_FILTERS, area: null, search: null, isolated: [] });
}

function showChips() {
  const said = active();
  const made = said.map(({ words, undo }) =>
    el(
      'li',
      {},
      el(
        'button',
        { type: 'button', class: 'chip', 'aria-label': `${words}: remove`, onclick: undo },
        words,
        el('span', { 'aria-hidden': 'true', class: 'cross' }, '\u00d7'),
      ),
    ),
  );
  if (said.length > 1)
    made.push(
      el('li', {}, el('button', { type: 'button', class: 'chip clear', onclick: clear }, 'Clear all')),
    );
  const had = chips.contains(document.activeElement);
  chips.replaceChildren(...made);
  if (had) (chips.querySelector('button') ?? document.querySelector('#map canvas'))?.focus();
  document.body.dataset.filtered = String(said.length);
}

/* Coloured by kind the legend beside has them; where it is out of sight they stay. */
function showKinds() {
  kindBlock.hidden = !state.archive.has.kinds;
  kindBlock.classList.toggle('in-legend', state.colour === 'kind');
  refilled(ofKind, () => ofKind.replaceChildren(...kinds(showKinds)));
}

const showPersistence = () => refilled(persistence, fillPersistence);

function fillPersistence() {
  const chosen = state.filters.persistence;
  persistence.replaceChildren(
    ...(state.archive.persistence ?? []).map(({ persistence: one, n }) =>
      el(
        'li',
        {},
        el(
          'button',
          {
            type: 'button',
            class: `class${chosen.length && !chosen.includes(one) ? ' off' : ''}`,
            'aria-pressed': String(chosen.includes(one)),
            onclick: () => filter({ persistence: toggled(state.filters.persistence, one) }),
          },
          el(
            'span',
            { class: 'class-name' },
            WORDS[one] ?? one,
            el('span', { class: 'faint' }, WORDS[one] ? ` (${one})` : ''),
          ),
          el('span', { class: 'number faint' }, passing(state.count?.persistence, one, chosen, n)),
        ),
      ),
    ),
  );
}

function showFields() {
  const { filters: f } = state;
  since.value = f.since ?? '';
  until.value = f.until ?? '';
  const [low, high] = scoreRange();
  Object.assign(score, {
    min: Math.floor(low * 100) / 100,
    max: Math.ceil(high * 100) / 100,
    step: (high - low) / 100 || 0.01,
  });
  score.value = f.minScore || score.min;
  scoreSaid.textContent = f.minScore > 0 ? f.minScore.toFixed(2) : 'any';
}

function showPassing() {
  const { count, archive } = state;
  if (!count) {
    told.textContent = '\u2026';
    return;
  }
  const all = archive.counts.changes;
  told.replaceChildren(
    el('strong', {}, number(count.changes)),
    count.changes === all ? ' changes' : ` of ${number(all)} changes`,
    count.events === undefined ? '' : ` in ${number(count.events)} events`,
  );
}

function build() {
  area.append(
    button('Draw', begin, {
      disabled: true,
      title: 'Draw an area on the map (d)',
    }),
    button('This view', limitToView, {
      disabled: true,
      title: 'What the map shows now',
    }),
    button('Paste', paste, { title: 'GeoJSON or west, south, east, north' }),
  );
  const heading = (words) => el('h3', {}, words);
  place.append(
    el('h2', { class: 'sr' }, 'Filters'),
    told,
    el('div', { class: 'block' }, heading('Onset'), el('div', { class: 'row pair' }, since, until)),
    kindBlock,
    el('div', { class: 'block' }, heading('How long it lasted'), persistence),
    el(
      'div',
      { class: 'block' },
      el('label', { for: 'min-score', class: 'row' }, heading('Score at least'), scoreSaid),
      score,
    ),
    el('div', { class: 'block' }, heading('Area'), area),
  );
}

export function start() {
  build();
  document.getElementById('map').append(chips);
  const choose = () => {
    const [a, b] = [since.value || null, until.value || null];
    if (a && b && b < a) filter({ since: b, until: a });
    else filter({ since: a, until: b });
  };
  since.addEventListener('change', choose);
  until.addEventListener('change', choose);
  score.addEventListener('input', () => {
    const least = Number(score.value) <= Number(score.min) ? 0 : Number(Number(score.value).toFixed(3));
    filter({ minScore: least });
  });
  const show = () => {
    showChips();
    showFields();
    showKinds();
    showPersistence();
  };
  show();
  showPassing();
  on(['filters', 'search', 'area', 'archive'], show);
  /* What needs the map waits for it. */
  on('view', () => {
    for (const one of area.querySelectorAll(':disabled')) one.disabled = false;
  });
  on('counting', () => told.setAttribute('aria-busy', String(state.counting)));
  on(['count', 'archive'], () => {
    showPassing();
    showKinds();
    showPersistence();
  });
  on('colour', showKinds);
  onTurn(showKinds);
  key('/', 'To the filters', () => {
    openDrawer('filters');
    since.focus();
  });
}

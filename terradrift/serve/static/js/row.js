/* One row of the list: rank, what it is, when, where, how strong, and what was said of it. */

import { THUMBS } from './bits.js';
import { el, icon } from './dom.js';
import { scoreRange } from './paint.js';
import { area, count, day, interval, number, place, span } from './say.js';
import { state } from './state.js';
import { sure } from './sure.js';
import { kindName, swatch } from './swatch.js';
import { said } from './verdicts.js';

/** What a row is: the name that an analyst gave its kind, or what the event itself did. A change has
    no words of its own: its kind's stand for it, said to be the kind's. */
export function called(row) {
  const kind = state.archive.kinds?.find((one) => one.kind === row.kind);
  const name = row.kind_name ?? kind?.name;
  if (name && name !== kind?.label) return name;
  if (row.n_patches && row.label) return row.label;
  if (kind) return `Kind: ${kindName(row.kind)}`;
  return row.n_patches ? 'Event of no kind' : 'Change of no kind';
}

function when(row) {
  if (row.start) return span(row.start, row.end);
  const held = interval(row.onset_early, row.onset_late, row.onset);
  return held ? `${day(row.onset)} (${held})` : day(row.onset);
}

function where(row) {
  const at = place(row.longitude, row.latitude, 3);
  if (row.n_patches) return `${area(row.area_km2)}, ${count(row.n_patches, 'patch', 'patches')} \u00b7 ${at}`;
  const match = Number.isFinite(row.distance) || Number.isFinite(row.probability);
  return [match && `score ${number(row.score, 1)}`, row.persistence, at].filter(Boolean).join(' \u00b7 ');
}

function strength(row) {
  const score = row.max_score ?? row.score;
  const [low, high] = scoreRange();
  const ofScore = high > low ? (score - low) / (high - low) : 0;
  const share = row.probability ?? (Number.isFinite(row.distance) ? 1 - row.distance : ofScore);
  const bar = el('span', { class: 'score-bar', 'aria-hidden': 'true' },
    el('span', { style: { width: `${Math.max(4, Math.min(100, 100 * share))}%` } }));
  return el('div', { class: 'entry-side number' }, ...told(row, score), sure(row), bar, marks(row));
}

/* The number that a row stands by: its score, or of a match its distance or how likely it is liked. */
function told(row, score) {
  const shown = (words, value, more) => [
    el('span', { class: 'entry-score', title: more }, value), el('span', { class: 'sr' }, words)];
  if (Number.isFinite(row.distance)) return shown(`distance; score ${number(score, 1)}`, number(row.distance, 3), 'Distance: 0 the same direction, 1 nothing in common, 2 the opposite');
  if (Number.isFinite(row.probability)) return shown(`likely; score ${number(score, 1)}`, `${number(100 * row.probability)} %`, 'How likely it is what you look for, by what was judged so far; of these a verdict teaches most');
  return shown('score', number(score, 1), 'Score');
}

/* What was said of it, and under which names. */
function marks(row) {
  const told = said(row);
  if (!told.length) return null;
  return el('span', { class: 'marks' }, ...told.slice(0, 3).map(([under, one]) => el('span', {
    class: `mark mark-${one}`, title: `${one}: ${under}`,
  }, icon(THUMBS[one][1]), el('span', { class: 'sr' }, `${one}: ${under}`))));
}

/** Fill an option of the list. */
export function paint(option, row, index) {
  if (row.gone) {
    option.append(el('span', { class: 'entry-rank number' }, number(row.rank)),
      el('p', { class: 'soft' }, 'Not there any more: changes were detected anew'));
    return;
  }
  option.append(
    el('span', { class: 'entry-rank number' }, number(row.rank ?? index + 1)),
    el('div', { class: 'entry-main' },
      el('p', { class: 'entry-title' }, swatch(row.kind), el('span', { class: 'entry-name' }, called(row))),
      el('p', { class: 'entry-when number' }, [when(row), row.n_patches && row.persistence].filter(Boolean).join(' \u00b7 ')),
      el('p', { class: 'entry-where number faint' }, where(row))),
    strength(row));
}

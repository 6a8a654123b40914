/* The help: all keys, and what colours and words mean. */

import { dialog } from './bits.js';
import { el } from './dom.js';
import { key, keys } from './keys.js';

const WORDS = [
  ['change', 'A patch that left its reference: when (onset), from what to what, how strongly.'],
  ['event', 'Changes that touch in space and time; ranked, the most convincing first.'],
  ['onset', 'When it began. The interval holds it at 95 %.'],
  ['reference', 'What the patch was expected to look like, by its own past and by its analogues.'],
  ['analogue', 'A patch whose history ran alongside; on the same date it says what the date did to such ground.'],
  ['z', 'How far a date is from its reference, in robust standard deviations. The shaded band is what is normal.'],
  ['score', 'How strong a change is: its step over the scatter around it, beside like patches. Noise reaches 2 to 5.'],
  ['persistence', 'Whether it lasts (persistent), goes back (transient), creeps (gradual), or comes with the season (seasonal).'],
  ['kind', 'A cluster of changes that went the same way. Colour and pattern are those of the legend.'],
  ['not judged', 'A date without a score (a small cross) says why: clouds, too little past. To abstain is an answer.'],
  ['q', 'How sure: of all patches whose strongest candidate is as unlikely, the share that is expected to be unchanged. 0.05 is sure, 0.5 as good as a coin.'],
  ['false alarms', 'How many unchanged patches per 1,000 km\u00b2 and year would score as much. Not calibrated: fewer than 20 patches could be ranked.'],
  ['raw, centre, whiten', 'What a search compares vectors in: as the model gives them; less the archive\u2019s mean; less the mean and with common scatter levelled. Triplet: as learned from regimes.'],
  ['distance', 'Of a match: 0 the same direction, 1 nothing in common, 2 the opposite.'],
];
const SAID = { ' ': 'Space', ArrowUp: '\u2191', ArrowDown: '\u2193', ArrowLeft: '\u2190', ArrowRight: '\u2192', Escape: 'Esc' };

function groups() {
  const told = new Map();
  for (const one of keys().filter((each) => each.words)) told.set(one.group, [...(told.get(one.group) || []), one]);
  return [...told].map(([name, all]) => el('section', {}, el('h3', {}, name), el('dl', { class: 'keys' },
    ...all.map((one) => el('div', {}, el('dt', {}, el('kbd', {}, SAID[one.key] || one.key)), el('dd', {}, one.words))))));
}

/** Open the help. */
export function open() {
  dialog('Keys and words', 'dialog-help',
    el('div', { class: 'key-groups' }, ...groups()),
    el('section', {}, el('h3', {}, 'Words'), el('dl', { class: 'glossary' },
      ...WORDS.map(([word, words]) => el('div', {}, el('dt', {}, word), el('dd', {}, words))))),
    el('section', {}, el('h3', {}, 'Colours'), el('p', {}, 'Scores run from dark blue to yellow (cividis), onsets from violet to yellow. Kinds and regimes have colours that are told apart without colour vision; after the seventh they come again hatched, then dotted. Red-violet marks what is selected.')));
}

export function start() {
  document.getElementById('tools').append(el('button', {
    type: 'button', class: 'button quiet icon', 'aria-label': 'Keys and words', title: 'Keys and words (?)', onclick: open,
  }, '?'));
  key('?', 'This help', () => { open(); }, 'Page');
}

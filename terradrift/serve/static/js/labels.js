/* Thumbs up and down: yes and no under a name that the analyst chooses, undone by one key. */

import { button, dialog, notify, THUMBS } from './bits.js';
import { el, icon } from './dom.js';
import { key } from './keys.js';
import { goTo, step, target } from './list.js';
import { count } from './say.js';
import { on, set, state } from './state.js';
import * as verdicts from './verdicts.js';
import { DIFFERENT, tellDifferent } from './version.js';

const given = []; // [{id, name, before}], the newest last

/** Ask for a name of labels; answers it, or null where the analyst thought better of it. */
export function askName() {
  return new Promise((done) => {
    const field = el('input', {
      class: 'field', id: 'label-name', maxlength: 80, list: 'label-names', placeholder: 'such as clear-cut',
      autocomplete: 'off', required: true,
    });
    field.value = verdicts.name() || verdicts.usedLast();
    const form = el('form', {},
      el('label', { for: 'label-name' }, 'What do you look for? Yes and no are stored under this name.'), field,
      el('datalist', { id: 'label-names' }, ...verdicts.names().map((one) => el('option', { value: one.name }))),
      el('div', { class: 'actions' }, el('button', { class: 'button primary', type: 'submit' }, 'Use this name')));
    const box = dialog('Name of these labels', 'dialog-small', form);
    let chosen = null;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      chosen = field.value.split(/\s+/).filter(Boolean).join(' ') || null;
      if (chosen) box.close();
    });
    box.addEventListener('close', () => {
      if (chosen) verdicts.choose(chosen);
      done(chosen);
    });
    field.focus();
    field.select();
  });
}

/* Verdicts are given one after another: each is of what the one before moved on to. */
let turn = Promise.resolve();
const inTurn = (act) => { turn = turn.then(act).catch((error) => notify(error.message, 'error')); };

function store(id, under, one) {
  const before = verdicts.waiting();
  const said = verdicts.say(id, under, one);
  said.stored.then(() => {
    if (verdicts.waiting() && !before) notify(`Labels wait: ${verdicts.why()}`);
  }, (error) => notify(error.message, 'error'));
  return said.before;
}

async function give(one, id = target()) {
  if (!id) { notify('Select a change first: a row of the list, or a place on the map'); return; }
  const under = verdicts.name() || await askName();
  if (!under) return;
  const example = state.search?.example?.judged;
  if (example && !verdicts.verdict(example, under)) store(example, under, 'yes');
  given.push({ id, name: under, before: store(id, under, one) });
  if (id !== target()) return; // the next is selected already
  if (!await step(1)) notify(`${THUMBS[one][0]}, and that was the last of the list`);
}

/** Say yes or no of a change: what is open, or under the list's cursor; then go to the next. */
export const judge = (one, id) => inTurn(() => give(one, id));

function takeBack() {
  const last = given.pop();
  if (!last) { notify('Nothing to undo'); return; }
  store(last.id, last.name, last.before);
  if (state.panel === 'detail') set({ selected: last.id, place: null });
  else goTo(last.id);
  notify(`Taken back under ${last.name}`);
}

/** Yes and no, of the change that is shown. */
export function thumbs(id) {
  const now = verdicts.verdict(id);
  const under = verdicts.name();
  return el('div', { class: 'thumbs', role: 'group', 'aria-label': under ? `Is this ${under}?` : 'Is this what you look for?' },
    ...Object.entries(THUMBS).map(([which, [words, d]]) => el('button', {
      type: 'button', class: `button thumb-${which}`, 'aria-pressed': String(now === which),
      title: `${words}${under ? `, under ${under}` : ''} (${which[0]})`, onclick: () => judge(which, id),
    }, icon(d), words)));
}

/* What could not be written; judged again, or taken back, it is forgotten. */
function lost() {
  const all = verdicts.lost();
  if (!all.length) return null;
  const which = all.map((one) => `${one.verdict} to ${one.target_id} under ${one.name}`).join('; ');
  return el('span', { class: 'waits', role: 'status', title: which },
    `${count(all.length, 'label')} not stored: ${all[0].why} (${all[0].target_id}${all.length > 1 ? ' and others' : ''})`);
}

/** The chosen name and how many were judged, with a button to choose another. */
export function tally() {
  const under = verdicts.name();
  const { yes, no } = verdicts.judged();
  return el('div', { class: 'tally' },
    el('span', { class: 'tally-name' }, under || 'Labels have no name yet'),
    under && el('span', { class: 'number soft' }, `${yes.length} yes \u00b7 ${no.length} no`),
    button(under ? 'Other name' : 'Choose one', () => askName(), { class: 'button quiet' }),
    verdicts.waiting() > 0 && el('span', { class: 'waits' }, `${count(verdicts.waiting(), 'label')} waiting: ${verdicts.why()}`),
    lost(),
    state.archive.read_only && el('span', { class: 'waits' }, 'This server only reads: verdicts stay on this page'));
}

export function start() {
  key('y', 'Yes: it is what I look for', () => { judge('yes'); }, 'Labels');
  key('n', 'No: it is not', () => { judge('no'); }, 'Labels');
  key('u', 'Undo the last verdict', () => { inTurn(takeBack); }, 'Labels');
  const load = () => verdicts.load().catch((error) => {
    if (error.message === DIFFERENT) tellDifferent();
    else notify(`Labels: ${error.message}`, 'error');
  });
  on('version', load);
  let told = 0;
  on('judged', () => {
    const n = verdicts.lost().length;
    if (n > told) notify(`${count(n, 'label')} could not be stored: ${verdicts.lost()[0].why}`, 'error');
    told = n;
  });
  load();
}

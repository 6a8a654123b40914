/* Verdicts as the archive holds them, and those of this page that are on their way there. */

import { get, post } from './api.js';
import { set, state } from './state.js';
import { store, stored } from './stored.js';
import { DIFFERENT } from './version.js';

const LOOK_EVERY = 3000; // ms

const here = {
  name: null,        // under which verdicts are given now
  of: new Map(),     // id of a change or event -> Map of name -> 'yes' | 'no'
  unsent: [],        // [id, name, verdict or null]: said of an archive that is only read
  waiting: 0,        // that the server keeps until the archive can be written
  why: null,         // they wait
  lost: [],          // that could not be written: what they were of is gone
  heard: 0,
  looking: 0,
  stored: Promise.resolve(),
};

const kept = () => `label.${state.archive.name}`;

/* Parts that show verdicts hear of `judged`. */
const changed = () => set({ judged: here.heard += 1 });

/** Name that verdicts are given under, or null. */
export const name = () => here.name;

/** [{name, yes, no}] of the archive and of this page, in order of name. */
export function names() {
  const told = new Map();
  for (const of of here.of.values()) {
    for (const [under, one] of of) {
      const row = told.get(under) || { name: under, yes: 0, no: 0 };
      row[one] += 1;
      told.set(under, row);
    }
  }
  return [...told.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** Labels that wait until the archive can be written. */
export const waiting = () => here.waiting;

/** Why they wait. */
export const why = () => here.why || 'another process writes to the archive';

/** [{target_id, name, verdict, why}] that the server could not write. */
export const lost = () => here.lost;

/** The name that was used last, on this archive and in this browser. */
export const usedLast = () => stored(kept()) || '';

/** Choose the name that verdicts go under; null: ask when the next is given. */
export function choose(chosen) {
  here.name = chosen || null;
  if (here.name) store(kept(), here.name);
  changed();
}

/** 'yes', 'no' or undefined: what is said of an id under a name. */
export const verdict = (id, under = here.name) => here.of.get(id)?.get(under);

/** [[name, 'yes' | 'no'], ...] of a row and its event, the chosen name first. */
export function said(row) {
  const all = new Map([...(here.of.get(row.event_id) || []), ...(here.of.get(row.change_id) || [])]);
  return [...all].sort(([a], [b]) => (b === here.name) - (a === here.name));
}

/** {yes: [ids], no: [ids]} under a name. */
export function judged(under = here.name) {
  const told = { yes: [], no: [] };
  for (const [id, of] of here.of) told[of.get(under)]?.push(id);
  return told;
}

function put(id, under, one) {
  const of = here.of.get(id) || new Map();
  if (one) of.set(under, one);
  else of.delete(under);
  here.of.set(id, of);
}

function note(id, under, one) {
  put(id, under, one);
  changed();
}

/**
 * Say 'yes' or 'no' of an id, or take back what was said (null). It is shown at once and stored
 * in turn; the promise is of the storing. What was said before is in `before` of the answer.
 */
export function say(id, under, one) {
  const before = verdict(id, under) || null;
  note(id, under, one);
  if (state.archive.read_only) {
    here.unsent.push([id, under, one]);
    return { before, stored: Promise.resolve() };
  }
  const sent = here.stored.then(async () => {
    try {
      const answer = await post('api/label', { ids: [id], verdict: one || 'none', name: under });
      here.why = answer.why;
      wait(answer.waiting);
    } catch (error) {
      note(id, under, before);
      throw error;
    }
  });
  here.stored = sent.catch(() => {});
  return { before, stored: sent };
}

/** When all that was said is stored, or waits at the server. */
export const settled = () => here.stored;

/* While labels wait for the lock, look now and then whether they were stored. */
function wait(n) {
  here.waiting = n;
  changed();
  clearTimeout(here.looking);
  if (n) here.looking = setTimeout(() => load().catch(() => wait(n)), LOOK_EVERY);
}

/** Ask the archive for all verdicts that stand; those that it cannot be told stay above them. */
export async function load() {
  await here.stored;
  const { rows, waiting: n, why: reason, lost: gone } = await get('api/labels');
  if (!rows || !gone) throw new Error(DIFFERENT);
  here.why = reason;
  here.lost = gone;
  here.of.clear();
  for (const row of rows) put(row.target_id, row.name, row.verdict);
  for (const own of here.unsent) put(...own);
  wait(n);
}

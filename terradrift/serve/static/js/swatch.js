/* The swatch of a kind: its colour, look and number as the map and its legend have them. */

import { el } from './dom.js';
import { kindsInOrder } from './paint.js';
import { classLook } from './scales.js';
import { state } from './state.js';
import { shown } from './theme.js';

/** Place of a kind in the order that colours go by, or -1. */
const placeOf = (kind) => kindsInOrder().findIndex((one) => one.kind === kind);

/** What a kind is called: by an analyst or by what it did; null of none. */
export function kindName(kind) {
  const held = state.archive.kinds?.find((one) => one.kind === kind);
  return held ? held.name || held.label || `kind ${kind}` : null;
}

/** A small square; of no kind: a crossed one; null where the archive knows no kinds at all. */
export function swatch(kind) {
  if (!state.archive.has?.kinds) return null;
  const none = kind === null || kind === undefined || kind < 0;
  if (none) return el('span', { class: 'swatch none', title: 'of no kind' });
  const { colour, look } = classLook(placeOf(kind), shown());
  return el('span', { class: `swatch ${look}`, style: { '--of': colour }, title: `of the kind: ${kindName(kind)}` });
}

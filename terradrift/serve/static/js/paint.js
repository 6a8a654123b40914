/* How a property becomes a colour: expressions of MapLibre by what the page colours by (pure but for state). */

import { CIVIDIS, INKS, LOOKS, OKABE_ITO, PLASMA, classLook, dayNumber, ramp } from './scales.js';
import { state } from './state.js';

/** Scores between which the scale runs, as [low, high]. */
export function scoreRange() {
  const { low, high } = state.archive.scores ?? {};
  return [low ?? 0, high ?? 1];
}

/** Scores that so many of the changes lie below: 0, 25, 50, 75, 90, 97, 99, 99.9 and 100 %. Few are
    far above the others; on a scale in equal steps most would look alike, and far out, where a point
    is the strongest of hundreds, so would all in steps of equal numbers. */
export function scoreSteps() {
  const steps = state.archive.scores?.steps;
  if (steps) return steps;
  const [low, high] = scoreRange();
  return CIVIDIS.map((_, nth) => low + ((high - low) * nth) / (CIVIDIS.length - 1));
}

/* MapLibre wants stops that rise; of equal ones the first stays. */
const rising = (stops) => stops.filter(([at], nth) => nth === 0 || at > stops[nth - 1][0]).flat();

/** First and last month of onsets as days since 1970. */
export function onsetRange() {
  const months = state.archive.onsets;
  if (!months?.length) return [0, 1];
  const end = new Date(`${months[months.length - 1].month}-01T00:00:00Z`);
  end.setUTCMonth(end.getUTCMonth() + 1);
  return [dayNumber(`${months[0].month}-01`), Math.floor(end / 86_400_000) - 1];
}

const bySize = (rows) => [...rows].sort((a, b) => (b.size ?? 0) - (a.size ?? 0));

/** Kinds, the largest first: their place gives colour and look. */
export const kindsInOrder = () => bySize(state.archive.kinds ?? []);

/** Regimes that patches are of, the largest first; grounds that hold several are none. */
export function regimesInOrder() {
  const rows = state.archive.regimes ?? [];
  const holds = new Set(rows.map((row) => row.parent));
  return bySize(rows.filter((row) => !holds.has(row.regime)));
}

function classes(what) {
  if (what === 'patches') return { property: 'regime', values: regimesInOrder().map((row) => row.regime) };
  return { property: 'kind', values: kindsInOrder().map((row) => row.kind) };
}

function byClass(what, of, otherwise) {
  const { property, values } = classes(what);
  if (!values.length) return otherwise;
  return [
    'match',
    ['to-number', ['coalesce', ['get', property], -1], -1],
    ...values.flatMap((value, nth) => [value, of(nth, value)]),
    otherwise,
  ];
}

/** Colour of what a layer draws. */
export function colourOf(theme, what = 'changes') {
  const ink = INKS[theme];
  const score = [
    'interpolate',
    ['linear'],
    ['to-number', ['get', 'score'], 0],
    ...rising(scoreSteps().map((at, nth) => [at, CIVIDIS[nth]])),
  ];
  if (what === 'events') {
    return [
      'match',
      ['%', ['-', ['get', 'rank'], 1], OKABE_ITO.length],
      ...OKABE_ITO.flatMap((colour, nth) => [nth, colour]),
      ink.other,
    ];
  }
  if (what === 'patches') {
    if (state.colour !== 'taxonomy') return ink.unjudged;
    const isolated = state.isolated;
    return byClass(
      'patches',
      (nth, value) =>
        isolated.length && !isolated.includes(value) ? ink.paper : classLook(nth, theme).colour,
      ink.unjudged,
    );
  }
  if (state.colour === 'kind') return byClass('changes', (nth) => classLook(nth, theme).colour, ink.other);
  if (state.colour === 'onset') {
    const onset = [
      'interpolate',
      ['linear'],
      ['to-number', ['get', 'onset'], 0],
      ...ramp(PLASMA, ...onsetRange()),
    ];
    return ['case', ['has', 'onset'], onset, ink.other];
  }
  if (state.colour === 'score') return score;
  return ink.ink;
}

/** Texture over squares of classes beyond the seventh, by name of an image. */
export function hatchOf(theme, what = 'changes') {
  const textured = what === 'patches' ? state.colour === 'taxonomy' : state.colour === 'kind';
  if (!textured) return 'plain';
  return byClass(
    what,
    (nth) => {
      const { look } = classLook(nth, theme);
      return look === 'solid' ? 'plain' : `${look}-${theme}`;
    },
    'plain',
  );
}

/** How much of the ground shows through a square: what is of no kind is hollow. */
export function filling() {
  if (state.colour === 'taxonomy' || state.colour === 'event') return 0.12;
  if (state.colour !== 'kind') return 0.88;
  return ['case', ['>=', ['to-number', ['coalesce', ['get', 'kind'], -1], -1], 0], 0.88, 0.15];
}

/** Points have no room for texture: the second seven are rings, the third have a thick dark edge,
    what is of no kind is hollow. */
export function lookOf(theme) {
  const ink = INKS[theme];
  const colour = colourOf(theme);
  if (state.colour !== 'kind') return { fill: colour, ring: 0.7, stroke: ink.edge };
  const pick = (plain, hatched, dotted, otherwise) =>
    byClass(
      'changes',
      (nth) => ({ plain, hatched, dotted })[LOOKS[Math.floor(nth / OKABE_ITO.length)]] ?? otherwise,
      otherwise,
    );
  const own = (nth) => classLook(nth, theme).colour;
  return {
    fill: byClass(
      'changes',
      (nth) => (classLook(nth, theme).look === 'hatched' ? ink.halo : own(nth)),
      ink.halo,
    ),
    ring: pick(0.8, 2.4, 2.4, 1.2),
    stroke: byClass(
      'changes',
      (nth) => (classLook(nth, theme).look === 'hatched' ? own(nth) : ink.edge),
      ink.other,
    ),
  };
}

/** The zoom from which on a patch is wider than so many pixels. */
export function widthFrom(pixels) {
  const { bbox, patch_size: metres } = state.archive;
  const latitude = bbox ? (bbox[1] + bbox[3]) / 2 : 0;
  const round = 40_075_016 * Math.cos((latitude * Math.PI) / 180);
  return Math.min(22, Math.max(1, Math.log2((pixels * round) / (metres * 512))));
}

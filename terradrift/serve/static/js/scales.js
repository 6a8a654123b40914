/* Colours of what is drawn: the same meaning in both themes, told apart without colour vision.

   Score: cividis (Nunez, Anderton and Renslow 2018). Onset: plasma, without its brightest end.
   Classes: the seven colours of Okabe and Ito (2008) that are not black; what comes after the
   seventh goes round again hatched, then ringed, and what is left shares one neutral colour. */

export const CIVIDIS = [
  '#00224e',
  '#1a386f',
  '#434e6c',
  '#61656f',
  '#7d7c78',
  '#9b9476',
  '#bcae6c',
  '#dec958',
  '#fee838',
];
export const PLASMA = [
  '#0d0887',
  '#4903a0',
  '#7801a8',
  '#a31e9a',
  '#c5407e',
  '#e06363',
  '#f48849',
  '#fdb22f',
  '#f7e425',
];
export const OKABE_ITO = ['#e69f00', '#56b4e9', '#009e73', '#f0e442', '#0072b2', '#d55e00', '#cc79a7'];
export const LOOKS = ['solid', 'hatched', 'dotted'];

/** Colours by theme of what MapLibre draws; CSS has its own in tokens.css. */
export const INKS = {
  light: {
    paper: '#e9edf0',
    land: '#f7f8f7',
    coast: '#b9c3cb',
    ink: '#141a20',
    halo: '#ffffff',
    edge: '#20272e',
    other: '#8d99a3',
    grid: '#c4cdd4',
    unjudged: '#9aa4ad',
    chosen: '#d1006c',
    hover: '#0b62a8',
  },
  dark: {
    paper: '#0e1216',
    land: '#171c22',
    coast: '#36404a',
    ink: '#e8edf2',
    halo: '#0b0e12',
    edge: '#a3aeb9',
    other: '#7f8b97',
    grid: '#28313a',
    unjudged: '#5d6873',
    chosen: '#ff5fb0',
    hover: '#8ecbff',
  },
};

/** Colour and look of classes by their place in an order: `nth` counts from 0. */
export function classLook(nth, theme) {
  if (nth < 0 || nth >= OKABE_ITO.length * LOOKS.length) return { colour: INKS[theme].other, look: 'solid' };
  return { colour: OKABE_ITO[nth % OKABE_ITO.length], look: LOOKS[Math.floor(nth / OKABE_ITO.length)] };
}

/** Stops of MapLibre's `interpolate` that spread colours over low..high. */
export function ramp(colours, low, high) {
  const span = high > low ? high - low : 1;
  return colours.flatMap((colour, at) => [low + (span * at) / (colours.length - 1), colour]);
}

/** A CSS gradient from left to right. */
export const gradient = (colours) => `linear-gradient(to right, ${colours.join(', ')})`;

const DAY = 86_400_000;

/** Days since 1970 of a day or an instant of ISO 8601. */
export const dayNumber = (instant) =>
  Math.floor(Date.parse(`${String(instant).slice(0, 10)}T00:00:00Z`) / DAY);

/** The day of that number, as 2021-06-03. */
export const dayOf = (n) => new Date(n * DAY).toISOString().slice(0, 10);

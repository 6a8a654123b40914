/* Numbers and instants as people read them; what is not known is an en dash. */

export const NOTHING = '\u2013';

const MINUS = '\u2212';
const day_ = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const month_ = new Intl.DateTimeFormat('en-GB', { month: 'short', year: 'numeric', timeZone: 'UTC' });

const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

export const day = (at) => (at ? day_.format(new Date(at)) : NOTHING);

export const month = (at) => (at ? month_.format(new Date(at)) : NOTHING);

export const days = (from, to) => Math.round((new Date(to) - new Date(from)) / 86_400_000);

/** A plain number with thousands set apart and a true minus. */
export function number(value, digits = 0) {
  if (!known(value)) return NOTHING;
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return Number(value).toLocaleString('en-US', options).replace('-', MINUS);
}

/** With its sign. */
export const signed = (value, digits = 2) =>
  (known(value) ? `${value > 0 ? '+' : ''}${number(value, digits)}` : NOTHING);

/** Three figures that count. */
export function figures(value) {
  if (!known(value)) return NOTHING;
  return Number(value).toPrecision(3).replace(/\.?0+($|e)/, '$1').replace('-', MINUS);
}

/** Hectares below one square kilometre. */
export function area(km2) {
  if (!known(km2)) return NOTHING;
  return km2 >= 1 ? `${number(km2, 1)} km\u00b2` : `${number(km2 * 100, km2 < 0.1 ? 1 : 0)} ha`;
}

export const count = (of, one, many = `${one}s`) => `${number(of)} ${of === 1 ? one : many}`;

export function place(longitude, latitude, digits = 4) {
  if (!known(longitude) || !known(latitude)) return NOTHING;
  const north = latitude >= 0 ? 'N' : 'S';
  const east = longitude >= 0 ? 'E' : 'W';
  return `${Math.abs(latitude).toFixed(digits)}\u00b0 ${north}, ${Math.abs(longitude).toFixed(digits)}\u00b0 ${east}`;
}

/** The interval that holds an instant, years left out that are its own: `5 Jan to 21 Mar`. */
export function interval(early, late, of = null) {
  if (!early || !late || day(early) === day(late)) return null;
  const own = of && ` ${new Date(of).getUTCFullYear()}`;
  const short = (at) => (own && day(at).endsWith(own) ? day(at).slice(0, -own.length) : day(at));
  return `${short(early)} to ${short(late)}`;
}

export function span(first, last) {
  if (!first || !last || day(first) === day(last)) return day(first || last);
  const year = ` ${new Date(last).getUTCFullYear()}`;
  const from = day(first).endsWith(year) ? day(first).slice(0, -year.length) : day(first);
  return `${from} to ${day(last)}`;
}

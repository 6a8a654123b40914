/* Axes of a chart: ends, round numbers, dates, and lines through points. */

const TOO_FAR = 4;

export const finite = (value) => value !== null && value !== undefined && Number.isFinite(value);

/** Ends of the axis of values: a single cloud that the mask missed does not flatten the rest. */
export function extent(values, what, band) {
  const known = values.filter(finite).sort((a, b) => a - b);
  if (!known.length) return [0, 1];
  let [low, high] = [known[0], known[known.length - 1]];
  if (what === 'z') {
    low = Math.min(low, -1);
    high = Math.max(high, 3);
    if (known.length > 8) high = Math.max(3, Math.min(high, TOO_FAR * known[Math.floor(0.95 * (known.length - 1))] + 1));
    for (const one of band) if (finite(one)) { low = Math.min(low, one); high = Math.max(high, one); }
  }
  const room = 0.06 * (high - low || 1);
  return [low - room, high + room];
}

/** About `n` round numbers from low to high, and how many decimals tell them apart. */
export function ticks(low, high, n = 4) {
  const rough = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(rough));
  const by = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const from = Math.ceil(low / by);
  const decimals = [0, 1, 2, 3].find((one) => Math.abs(by * 10 ** one - Math.round(by * 10 ** one)) < 1e-9) ?? 3;
  return { at: Array.from({ length: Math.floor(high / by) - from + 1 }, (_, nth) => (from + nth) * by), decimals };
}

/** Instants that a time axis names: years, or months where there is less than two years. */
export function dates(first, last, width) {
  const months = (last - first) / 2_629_800_000;
  const by = [1, 2, 3, 6, 12, 24, 60].find((one) => months / one <= width / 58) || 120;
  const at = new Date(first);
  const from = at.getUTCFullYear() * 12 + Math.ceil(at.getUTCMonth() / by) * by;
  const told = [];
  for (let month = from; ; month += by) {
    const when = Date.UTC(Math.floor(month / 12), month % 12, 1);
    if (when > last) return told;
    if (when >= first) told.push([when, by]);
  }
}

const monthName = new Intl.DateTimeFormat('en-GB', { month: 'short', timeZone: 'UTC' });

/** What the axis says of an instant. */
export function dateWords(when, by) {
  const at = new Date(when);
  if (by >= 12) return String(at.getUTCFullYear());
  return at.getUTCMonth() === 0 ? String(at.getUTCFullYear()) : monthName.format(at);
}

/** One value for each date, of a value or a list. */
export const perDate = (value, n) => (Array.isArray(value) ? value : Array(n).fill(value));

/** A line through what is known, over what is not. */
export function joined(xs, values, y) {
  const known = xs.map((x, at) => at).filter((at) => finite(values[at]));
  return known.length ? `M${known.map((at) => `${xs[at].toFixed(1)} ${y(values[at]).toFixed(1)}`).join('L')}` : '';
}

/** The outline between two bounds. */
export function bandOf(xs, low, high, y) {
  const at = xs.map((x, i) => i).filter((i) => finite(low[i]) && finite(high[i]));
  if (at.length < 2) return '';
  const upper = at.map((i) => `${xs[i].toFixed(1)} ${y(high[i]).toFixed(1)}`);
  const lower = at.reverse().map((i) => `${xs[i].toFixed(1)} ${y(low[i]).toFixed(1)}`);
  return `M${upper.join('L')}L${lower.join('L')}Z`;
}

/* Months as numbers, so that a window of them can be moved (pure). */

/** '2018-05' -> 12 * 2018 + 4. */
export const monthNumber = (word) => Number(word.slice(0, 4)) * 12 + Number(word.slice(5, 7)) - 1;

/** 12 * 2018 + 4 -> '2018-05'. */
export const monthWord = (n) => `${Math.floor(n / 12)}-${String((n % 12) + 1).padStart(2, '0')}`;

/** First day of a month. */
export const firstDay = (n) => `${monthWord(n)}-01`;

/** Last day of a month. */
export function lastDay(n) {
  const end = new Date(`${firstDay(n + 1)}T00:00:00Z`);
  end.setUTCDate(end.getUTCDate() - 1);
  return end.toISOString().slice(0, 10);
}

/** Counts of every month from `first` to `last`, of [{month, n}] that leaves empty ones out. */
export function filled(rows, first, last) {
  const counts = new Array(last - first + 1).fill(0);
  for (const { month, n } of rows ?? []) {
    const at = monthNumber(month) - first;
    if (at >= 0 && at < counts.length) counts[at] += n;
  }
  return counts;
}

/** Move a window of months by some, kept within first..last without changing its length. */
export function moved([from, to], by, first, last) {
  const step = Math.max(first - from, Math.min(last - to, by));
  return [from + step, to + step];
}

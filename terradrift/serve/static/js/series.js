/* The series of a patch as a chart: scores and indices by date, with what is normal shaded. */

import { bandOf, dates, dateWords, extent, finite, joined, perDate, ticks } from './axis.js';
import { el, svg } from './dom.js';
import { count, day, interval, number } from './say.js';

const HEIGHT = 196;
const EDGE = { left: 38, right: 12, top: 20, bottom: 40 };
const SHOWN = [
  ['z', 'z of a day', 2], ['ndvi', 'NDVI', 3], ['nbr', 'NBR', 3], ['ndwi', 'NDWI', 3],
];
let chosen = null; // stays from change to change; before a choice NDVI, where it is known

export class Chart {
  constructor() {
    this.what = 'z';
    this.at = -1;
    this.switch = el('div', { class: 'switch', role: 'group', 'aria-label': 'What the chart shows' },
      ...SHOWN.map(([name, words]) => el('button', {
        type: 'button', class: 'button quiet', 'data-name': name, onclick: () => { this.what = chosen = name; this.draw(); },
      }, words)));
    this.told = el('p', { class: 'readout number', role: 'status', 'aria-live': 'polite' });
    this.picture = svg('svg', {
      class: 'chart', tabindex: 0, role: 'application', 'aria-roledescription': 'chart', height: HEIGHT,
    });
    this.key = el('ul', { class: 'chart-key' });
    this.meaning = el('p', { class: 'soft small' });
    this.table = el('div', { class: 'chart-table' });
    this.element = el('div', { class: 'series' }, el('div', { class: 'series-head' }, this.switch), this.told, this.picture, this.key, this.table);
    this.picture.addEventListener('pointermove', (event) => this.#near(event.clientX));
    this.picture.addEventListener('pointerdown', (event) => this.#near(event.clientX));
    // What was asked for by keys stays while the chart has the focus, wherever the pointer is.
    this.picture.addEventListener('pointerleave', () => { if (document.activeElement !== this.picture) this.read(-1); });
    this.picture.addEventListener('keydown', (event) => this.#keys(event));
    this.picture.addEventListener('blur', () => this.read(-1));
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** Show the answer of /api/change/{id}/series. */
  show(series) {
    this.series = series;
    this.when = series.times.map((one) => Date.parse(one));
    const n = this.when.length;
    const bounds = (told) => ({ low: perDate(told?.low, n), high: perDate(told?.high, n), what: told?.what });
    const { reference, expected } = series;
    this.bounds = { z: bounds(reference) };
    for (const name of ['ndvi', 'nbr', 'ndwi']) this.bounds[name] = { ...bounds(expected?.[name]), what: expected?.what };
    this.what = chosen ?? ((series.ndvi || []).some(finite) ? 'ndvi' : 'z');
    this.#tabulate();
    this.draw();
  }

  draw() {
    const { series } = this;
    const width = this.element.clientWidth;
    if (!series || width < 60) return;
    for (const one of this.switch.children) {
      const name = one.dataset.name;
      one.setAttribute('aria-pressed', String(name === this.what));
      one.disabled = !(series[name] || []).some(finite);
    }
    const right = width - EDGE.right;
    const [first, last] = [this.when[0], this.when[this.when.length - 1]];
    const room = 0.015 * (last - first || 1);
    this.x = (when) => EDGE.left + ((when - first + room) / (last - first + 2 * room)) * (right - EDGE.left);
    this.xs = this.when.map(this.x);
    const values = series[this.what] || [];
    const isZ = this.what === 'z';
    const normal = this.bounds[this.what];
    const [low, high] = extent(values, this.what, [...normal.low, ...normal.high]);
    const [top, bottom] = [EDGE.top, HEIGHT - EDGE.bottom];
    this.y = (value) => bottom - ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (bottom - top);
    this.picture.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    this.picture.setAttribute('aria-label', this.#summary());
    this.picture.replaceChildren(...[
      svg('path', { class: 'band', d: bandOf(this.xs, normal.low, normal.high, this.y) }),
      ...this.#onset(top, bottom),
      ...this.#grid(low, high, right, width),
      ...(isZ ? (series.controls || []).map((one) => svg('path', { class: 'control', d: joined(this.xs, one.z || [], this.y) })) : []),
      svg('path', { class: 'course', d: joined(this.xs, values, this.y) }),
      ...this.#points(values, high),
      ...this.#abstained(values, bottom),
      ...this.#ends(bottom),
      this.cursor = svg('g', { class: 'cursor' }),
    ].filter(Boolean));
    this.#legend(isZ);
    this.read(this.at);
  }

  #grid(low, high, right, width) {
    const { at, decimals } = ticks(low, high);
    const lines = at.flatMap((value) => {
      const y = this.y(value);
      const words = svg('text', { class: 'tick', x: EDGE.left - 6, y: y + 3.5, 'text-anchor': 'end' });
      words.textContent = number(value, decimals);
      return [svg('line', { class: value === 0 ? 'zero' : 'rule', x1: EDGE.left, x2: right, y1: y, y2: y }), words];
    });
    const along = dates(this.when[0], this.when[this.when.length - 1], width).flatMap(([when, by]) => {
      const x = this.x(when);
      const words = svg('text', { class: 'tick', x, y: HEIGHT - 6, 'text-anchor': 'middle' });
      words.textContent = dateWords(when, by);
      return [svg('line', { class: 'notch', x1: x, x2: x, y1: HEIGHT - 22, y2: HEIGHT - 18 }), words];
    });
    return [...lines, ...along];
  }

  #onset(top, bottom) {
    const { onset, onset_early: early, onset_late: late, ended } = this.series;
    if (!onset) return [];
    const at = this.x(Date.parse(onset));
    const [from, to] = [early, late].map((one) => (one ? this.x(Date.parse(one)) : at));
    const words = svg('text', { class: 'mark-words', x: at, y: top - 7, 'text-anchor': at > this.element.clientWidth * 0.8 ? 'end' : 'middle' });
    words.textContent = `onset ${day(onset)}`;
    const told = [
      svg('rect', { class: 'onset-interval', x: from, y: top - 2, width: Math.max(2, to - from), height: bottom - top + 2 }),
      svg('line', { class: 'onset', x1: at, x2: at, y1: top - 2, y2: bottom }), words,
    ];
    if (ended) {
      const x = this.x(Date.parse(ended));
      told.push(svg('line', { class: 'ended', x1: x, x2: x, y1: top - 2, y2: bottom }));
    }
    return told;
  }

  #points(values, high) {
    return this.xs.flatMap((x, at) => {
      if (!finite(values[at])) return [];
      if (values[at] <= high) return [svg('circle', { class: 'point', cx: x, cy: this.y(values[at]), r: 2.6 })];
      return [svg('path', { class: 'point above', d: `M${x - 4} ${EDGE.top + 6}h8l-4-7z` })];
    });
  }

  #abstained(values, bottom) {
    return this.xs.flatMap((x, at) => (finite(values[at]) ? [] : [
      svg('path', { class: 'abstained', d: `M${x - 2} ${bottom + 5}l4 4m0-4l-4 4` }),
    ]));
  }

  #ends(bottom) {
    return [['date_before', 'B'], ['date_after', 'A']].flatMap(([name, letter]) => {
      const at = this.series[name];
      if (!at) return [];
      const x = this.x(Date.parse(at));
      const words = svg('text', { class: 'end-words', x: x + (letter === 'B' ? -5 : 5), y: bottom + 11, 'text-anchor': letter === 'B' ? 'end' : 'start' });
      words.textContent = letter;
      return [svg('path', { class: 'end', d: `M${x} ${bottom + 2}l3.5 7h-7z` }), words];
    });
  }

  #legend(isZ) {
    const { controls = [], controls_are: are } = this.series;
    const normal = this.bounds[this.what];
    const entries = [['course', 'this patch']];
    if (normal.low.some(finite)) entries.push(['band', isZ ? 'normal: nine of ten unchanged patches' : 'nine of ten of its analogues', normal.what]);
    if (isZ && controls.length) entries.push(['control', count(controls.length, 'analogue'), are]);
    entries.push(['onset', 'onset, with its 95 % interval'], ['abstained', isZ ? 'not judged' : 'not seen']);
    this.key.replaceChildren(...entries.map(([name, words, more]) => el('li', { title: more }, el('span', { class: `key-${name}`, 'aria-hidden': 'true' }), words)));
    this.meaning.textContent = [normal.what && `The band: ${normal.what}`, isZ && controls.length && are && `Analogues: ${are}.`].filter(Boolean).join(' ');
  }

  #summary() {
    const { series } = this;
    const known = (series[this.what] || []).filter(finite).length;
    const held = interval(series.onset_early, series.onset_late);
    return `${SHOWN.find(([name]) => name === this.what)[1]} on ${known} of ${this.when.length} dates, `
      + `${day(series.times[0])} to ${day(series.times[series.times.length - 1])}; onset ${day(series.onset)}`
      + `${held ? `, between ${held}` : ''}. Left and right arrows read dates.`;
  }

  #near(clientX) {
    if (!this.xs) return;
    const x = clientX - this.picture.getBoundingClientRect().left;
    let best = 0;
    this.xs.forEach((one, at) => { if (Math.abs(one - x) < Math.abs(this.xs[best] - x)) best = at; });
    this.read(best);
  }

  #keys(event) {
    if (!this.xs) return;
    const end = this.when.length - 1;
    const to = {
      ArrowRight: Math.min(end, this.at + 1), ArrowLeft: this.at < 0 ? end : Math.max(0, this.at - 1), Home: 0, End: end,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.read(to);
  }

  /** Read out one date; -1: what the chart is of. */
  read(at) {
    this.at = at;
    this.cursor?.replaceChildren();
    const { series } = this;
    if (at < 0 || !series) {
      this.told.textContent = series ? 'Point at a date, or use the arrow keys, to read it.' : '';
      return;
    }
    const value = series[this.what]?.[at];
    const x = this.xs[at];
    this.cursor.append(svg('line', { x1: x, x2: x, y1: EDGE.top, y2: HEIGHT - EDGE.bottom }));
    if (finite(value)) this.cursor.append(svg('circle', { cx: x, cy: this.y(value), r: 4.5 }));
    this.told.textContent = this.#words(at);
  }

  #words(at) {
    const { series } = this;
    const told = [day(series.times[at])];
    for (const [name, words, digits] of SHOWN) {
      const value = series[name]?.[at];
      if (finite(value)) told.push(`${words.replace('Score ', '')} ${number(value, digits)}`);
    }
    const { low, high } = this.bounds[this.what];
    const digits = this.what === 'z' ? 1 : 2;
    if (finite(high[at])) told.push(`normal ${number(low[at], digits)} to ${number(high[at], digits)}`);
    if (!finite(series.z?.[at])) told.push(`not judged: ${series.reason?.[at] || 'no reason told'}`);
    const clear = series.clear?.[at];
    if (finite(clear)) told.push(`${number(clear)} % clear`);
    return told.join(' \u00b7 ');
  }

  #tabulate() {
    const { series } = this;
    const details = el('details', {}, el('summary', {}, 'As a table'));
    details.addEventListener('toggle', () => {
      if (!details.open || details.children.length > 1) return;
      const heads = ['Date', 'z', 'NDVI', 'NBR', 'NDWI', 'Clear %', 'Not judged because'];
      details.append(el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Series as a table' }, el('table', { class: 'plain number' },
        el('thead', {}, el('tr', {}, ...heads.map((one) => el('th', { scope: 'col' }, one)))),
        el('tbody', {}, ...series.times.map((when, at) => el('tr', {},
          el('th', { scope: 'row' }, day(when)),
          ...SHOWN.map(([name, , digits]) => el('td', {}, number(series[name]?.[at], digits))),
          el('td', {}, number(series.clear?.[at])),
          el('td', {}, series.reason?.[at] || '')))))));
    });
    this.table.replaceChildren(el('details', {}, el('summary', {}, 'What the band and the lines are'), this.meaning), details);
  }
}

/* A list box of any length: rows are asked for by pages and painted as they come into view. */

import { trouble } from './bits.js';
import { el } from './dom.js';

const PAGE = 100;
const MOST = 200_000; // rows that can be scrolled to; elements much taller than that break browsers
const BEYOND = 6;     // rows painted above and below what is seen

export class Rows {
  /**
   * `ask(offset, limit, signal)` answers {total, rows}; `paint(row, index)` fills an option;
   * `open(row, index)` on Enter or click; `point(row | null)` as the pointer or cursor moves.
   */
  constructor({ label, height, ask, paint, open, point, told }) {
    Object.assign(this, { height, ask, paint, open, point, told });
    this.space = el('div', { class: 'rows-space', role: 'presentation' });
    this.box = el('div', { class: 'rows', role: 'listbox', tabindex: 0, 'aria-label': label }, this.space);
    this.box.addEventListener('scroll', () => this.#soon(), { passive: true });
    this.box.addEventListener('keydown', (event) => this.#key(event));
    this.box.addEventListener('pointerleave', () => this.point(null));
    new ResizeObserver(() => this.#soon()).observe(this.box);
    this.#clear();
  }

  #clear() {
    this.point(null);
    this.pages = new Map();
    this.asked = new Map();
    this.painted = new Map();
    this.total = null;
    this.cursor = -1;
    this.failed = false;
    this.space.replaceChildren();
    this.space.style.height = '0';
    this.box.removeAttribute('aria-activedescendant');
  }

  /** Ask anew, from the top; what was listed stays until there is an answer. */
  async reset() {
    this.stop?.abort();
    this.stop = new AbortController();
    const { signal } = this.stop;
    this.box.setAttribute('aria-busy', 'true');
    if (this.total === null) this.told({ waiting: true });
    try {
      const { total, rows } = await this.ask(0, PAGE, signal);
      if (signal.aborted) return;
      this.#clear();
      this.asked.set(0, Promise.resolve());
      this.box.scrollTop = 0;
      this.#keep(0, total, rows);
      this.told({ total, reach: this.reach });
    } catch (error) {
      if (signal.aborted) return;
      this.#clear();
      this.told({ error });
      this.space.replaceChildren(trouble(error, () => this.reset()));
    }
    this.box.removeAttribute('aria-busy');
  }

  /** Rows as they are, painted again: a mark on them has changed. */
  repaint() {
    this.painted.forEach((element) => element.remove());
    this.painted.clear();
    this.#seen();
  }

  /** Mark the painted row for which `is` holds as what the pointer is on elsewhere. */
  hover(is) {
    for (const [index, element] of this.painted) element.classList.toggle('hovered', Boolean(this.row(index) && is(this.row(index))));
  }

  get reach() { return Math.min(this.total ?? 0, MOST); }

  row(index) { return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE]; }

  /** Index of a loaded row for which `is` holds, or -1. */
  find(is) {
    for (const [page, rows] of this.pages) {
      const at = rows.findIndex(is);
      if (at >= 0) return page * PAGE + at;
    }
    return -1;
  }

  /** The row at `index`, asked for if it has to be; undefined past the ends. */
  async at(index) {
    if (index < 0 || index >= this.reach) return undefined;
    await this.#page(Math.floor(index / PAGE));
    return this.row(index);
  }

  /** Put the cursor on a row and bring it into view. */
  move(index) {
    if (!this.reach) return;
    const to = Math.max(0, Math.min(this.reach - 1, index));
    this.#mark(this.cursor, false);
    this.cursor = to;
    const { scrollTop, clientHeight } = this.box;
    const top = to * this.height;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.box.scrollTop = top + this.height - clientHeight;
    this.#seen();
    this.#mark(to, true);
    this.box.setAttribute('aria-activedescendant', `${this.#id(to)}`);
    this.point(this.row(to) ?? null);
  }

  #id(index) { return `row-${index}`; }

  #mark(index, is) {
    const element = this.painted.get(index);
    if (element) element.setAttribute('aria-selected', String(is));
  }

  #page(page) {
    if (!this.asked.has(page)) this.asked.set(page, this.#fetch(page));
    return this.asked.get(page);
  }

  async #fetch(page) {
    const { signal } = this.stop;
    try {
      const { total, rows } = await this.ask(page * PAGE, PAGE, signal);
      if (signal.aborted) return;
      this.#keep(page, total, rows);
      if (this.failed) this.told({ total, reach: this.reach });
      this.failed = false;
    } catch (error) {
      this.asked.delete(page);
      if (signal.aborted) return;
      this.failed = true;
      this.told({ error });
    }
  }

  #keep(page, total, rows) {
    this.pages.set(page, rows);
    this.total = total;
    this.space.style.height = `${this.reach * this.height}px`;
    for (let at = page * PAGE; at < page * PAGE + rows.length; at += 1) {
      this.painted.get(at)?.remove();
      this.painted.delete(at);
    }
    this.#seen();
  }

  #soon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => { this.frame = null; this.#seen(); });
  }

  #seen() {
    const { scrollTop, clientHeight } = this.box;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - BEYOND);
    const last = Math.min(this.reach, Math.ceil((scrollTop + clientHeight) / this.height) + BEYOND);
    for (const [index, element] of this.painted) {
      if (index < first || index >= last) { element.remove(); this.painted.delete(index); }
    }
    for (let index = first; index < last; index += 1) {
      if (!this.painted.has(index)) this.#paint(index);
    }
    for (let page = Math.floor(first / PAGE); page * PAGE < last; page += 1) this.#page(page);
  }

  #paint(index) {
    const row = this.row(index);
    const element = el('div', {
      class: row ? 'entry' : 'entry entry-waiting',
      role: 'option',
      id: this.#id(index),
      'aria-posinset': index + 1,
      'aria-setsize': this.total,
      'aria-selected': String(index === this.cursor),
    });
    element.style.transform = `translateY(${index * this.height}px)`;
    element.style.height = `${this.height}px`;
    if (row) {
      this.paint(element, row, index);
      element.addEventListener('click', () => { this.move(index); this.open(row, index); });
      element.addEventListener('pointerenter', () => this.point(row));
    }
    this.painted.set(index, element);
    this.space.append(element);
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.height) - 1);
    const to = {
      ArrowDown: this.cursor + 1,
      ArrowUp: this.cursor - 1,
      PageDown: this.cursor + page,
      PageUp: this.cursor - page,
      Home: 0,
      End: this.reach - 1,
    }[event.key];
    if (to !== undefined) this.move(to);
    else if (event.key === 'Enter' && this.row(this.cursor)) this.open(this.row(this.cursor), this.cursor);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

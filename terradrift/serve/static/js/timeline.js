/* Onsets by month: all and those that pass; a window of time with two handles, and playing it. */

import { el, icon, number, svg } from './dom.js';
import { key } from './keys.js';
import { filled, firstDay, lastDay, monthNumber, monthWord, moved } from './months.js';
import { filter, on, state } from './state.js';

const PLAY = 'M5 3l8 5-8 5Z';
const PAUSE = 'M5 3v10M11 3v10';
const PACE = 700; // ms a month
const HEIGHT = 44;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const AGAIN = 120; // ms between changes while a handle is dragged

const place = document.getElementById('timeline');
const bars = svg('svg', { class: 'bars', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
const ticks = el('div', { class: 'ticks number', 'aria-hidden': 'true' });
const window_ = el('div', { class: 'window' });
const shade = [el('div', { class: 'shade' }), el('div', { class: 'shade' })];
const track = el('div', { class: 'track' }, bars, ...shade, window_);
const said = el('output', { class: 'said number' });
let first = 0;
let last = 0;
let clock = 0;
let held = null; // the window while it is dragged

const handles = ['Onset from', 'Onset until'].map((words, end) =>
  el('div', {
    class: 'handle',
    role: 'slider',
    tabindex: '0',
    'aria-label': words,
    'data-end': String(end),
  }),
);
const play = el('button', { type: 'button', class: 'button quiet icon' });
const whole = el(
  'button',
  { type: 'button', class: 'link small', onclick: () => filter({ since: null, until: null }) },
  'All time',
);

/** The window as [first month, last month]. */
function chosen() {
  if (held) return held;
  const { since, until } = state.filters;
  const within = (n) => Math.max(first, Math.min(last, n));
  return [since ? within(monthNumber(since)) : first, until ? within(monthNumber(until)) : last];
}

function choose([from, to]) {
  filter({ since: from <= first ? null : firstDay(from), until: to >= last ? null : lastDay(to) });
}

function showWindow() {
  const [from, to] = chosen();
  const share = (n) => `${(100 * (n - first)) / (last - first + 1)}%`;
  [from, to + 1].forEach((n, end) => {
    handles[end].style.left = share(n);
    handles[end].setAttribute('aria-valuemin', String(first));
    handles[end].setAttribute('aria-valuemax', String(last));
    handles[end].setAttribute('aria-valuenow', String([from, to][end]));
    handles[end].setAttribute('aria-valuetext', monthWord([from, to][end]));
  });
  window_.style.left = share(from);
  window_.style.width = `${(100 * (to - from + 1)) / (last - first + 1)}%`;
  shade[0].style.width = share(from);
  shade[1].style.left = share(to + 1);
  const all = from === first && to === last;
  const { since, until } = state.filters;
  said.textContent = held
    ? `${monthWord(from)} \u2013 ${monthWord(to)}`
    : `${since ?? firstDay(first)} \u2013 ${until ?? lastDay(last)}`;
  whole.hidden = all && !since && !until;
}

function showBars() {
  const all = filled(state.archive.onsets, first, last);
  const passing = state.count ? filled(state.count.onsets, first, last) : all;
  const most = Math.max(1, ...all);
  bars.setAttribute('viewBox', `0 0 ${all.length} ${HEIGHT}`);
  /* Square roots: a month of few changes stays to be seen beside one of many. */
  const high = (n) => (n ? Math.max(1.5, HEIGHT * Math.sqrt(n / most)) : 0);
  const bar = (n, at, name) =>
    svg('rect', { class: name, x: at + 0.08, width: 0.84, y: HEIGHT - high(n), height: high(n) });
  bars.replaceChildren(
    ...all.map((n, at) => bar(n, at, 'all')),
    ...passing.map((n, at) => bar(n, at, 'passing')),
  );
  const total = passing.reduce((sum, n) => sum + n, 0);
  track.setAttribute('aria-label', `${number(total)} changes by month of onset`);
}

function showTicks() {
  const months = last - first + 1;
  const step = [1, 3, 6, 12, 24, 60].find((one) => (track.clientWidth / months) * one >= 58) ?? 120;
  const shown = [];
  for (let n = Math.ceil(first / step) * step; n <= last; n += step) {
    const year = String(Math.floor(n / 12));
    const words = n % 12 === 0 ? year : `${MONTHS[n % 12]}${shown.length ? '' : ` ${year}`}`;
    shown.push(el('span', { style: { left: `${(100 * (n - first)) / months}%` } }, words));
  }
  ticks.replaceChildren(...shown);
}

const monthAt = (event) => {
  const box = track.getBoundingClientRect();
  return first + ((event.clientX - box.left) / box.width) * (last - first + 1);
};

/* What is taken hold of moves until it is let go; the filters follow a few times a second. */
function drag(event, move) {
  event.preventDefault();
  const target = event.currentTarget;
  target.setPointerCapture(event.pointerId);
  const from = chosen();
  const start = monthAt(event);
  let asked = 0;
  const go = (moving) => {
    held = move(from, monthAt(moving), start);
    showWindow();
    if (performance.now() - asked > AGAIN) {
      asked = performance.now();
      choose(held);
    }
  };
  const end = () => {
    target.removeEventListener('pointermove', go);
    target.removeEventListener('pointerup', end);
    target.removeEventListener('pointercancel', end);
    const now = held;
    held = null;
    if (now) choose(now);
    showWindow();
  };
  target.addEventListener('pointermove', go);
  target.addEventListener('pointerup', end);
  target.addEventListener('pointercancel', end);
}

const withEnd = ([from, to], end, n) =>
  end === 0
    ? [Math.max(first, Math.min(to, Math.round(n))), to]
    : [from, Math.min(last, Math.max(from, Math.round(n)))];

function step(event) {
  const end = Number(event.currentTarget.dataset.end);
  const now = chosen();
  const to = {
    ArrowLeft: now[end] - 1,
    ArrowDown: now[end] - 1,
    ArrowRight: now[end] + 1,
    ArrowUp: now[end] + 1,
    PageDown: now[end] - 12,
    PageUp: now[end] + 12,
    Home: first,
    End: last,
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  choose(withEnd(now, end, to));
}

function showPlay() {
  play.replaceChildren(icon(clock ? PAUSE : PLAY));
  play.setAttribute('aria-label', clock ? 'Stop' : 'Play through the months');
  play.title = clock ? 'Stop (p)' : 'Play through the months (p)';
}

function stop() {
  clearInterval(clock);
  clock = 0;
  showPlay();
}

function toggle() {
  if (clock) {
    stop();
    return;
  }
  const [from, to] = chosen();
  const length = to - from + 1;
  const all = from === first && to === last;
  const reach = all ? Math.max(0, Math.round((last - first + 1) / 12) - 1) : length - 1;
  choose(all || to === last ? [first, first + reach] : [from, to]);
  clock = setInterval(() => {
    const now = chosen();
    if (now[1] >= last) stop();
    else choose(moved(now, 1, first, last));
  }, PACE);
  showPlay();
}

function measure() {
  const months = state.archive.onsets ?? [];
  place.hidden = months.length === 0;
  if (place.hidden) return;
  first = monthNumber(months[0].month);
  last = Math.max(first, monthNumber(months[months.length - 1].month));
  showBars();
  showWindow();
  showTicks();
}

export function start() {
  track.append(...handles);
  place.append(
    el(
      'div',
      { class: 'time-head' },
      play,
      el('span', { class: 'soft small', title: 'Heights are square roots of counts' }, 'Onsets by month'),
      said,
      whole,
    ),
    track,
    ticks,
  );
  play.addEventListener('click', toggle);
  handles.forEach((handle, end) => {
    handle.addEventListener('keydown', step);
    handle.addEventListener('pointerdown', (event) =>
      drag(event, (from, n) => withEnd(from, end, end === 0 ? n : n - 1)),
    );
  });
  window_.addEventListener('pointerdown', (event) =>
    drag(event, (from, n, from_) => moved(from, Math.round(n - from_), first, last)),
  );
  showPlay();
  measure();
  on('filters', showWindow);
  on('count', showBars);
  on('archive', measure);
  new ResizeObserver(showTicks).observe(track);
  key('p', 'Play through the months', toggle, 'Time');
  key('Escape', null, () => {
    if (!clock) return false;
    stop();
    return true;
  });
}

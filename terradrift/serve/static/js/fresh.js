/* Whether there is something newer than what is shown, whether someone writes, and whether the
   server is there. */

import { get } from './api.js';
import { el } from './dom.js';
import { on, query, set, state } from './state.js';
import { compare } from './version.js';

const EVERY = 15_000;
const SOON = 5_000;

const news = document.getElementById('news');
const writing = el('span', { id: 'writing', class: 'small soft', hidden: true });
let clock = 0;
let told = '';
let lost = false; // the server did not answer

function tell(words, does, act) {
  const now = `${words}|${does ?? ''}`;
  if (now === told) return;
  told = now;
  news.replaceChildren(
    ...(words
      ? [
          el('span', {}, words),
          does && el('button', { type: 'button', class: 'button primary', onclick: act }, does),
        ].filter(Boolean)
      : []),
  );
}

/** Go on with what the archive holds now. */
export async function moveOn() {
  try {
    const archive = await get('api/archive');
    compare(archive);
    set({ archive, version: archive.version, trouble: null });
    tell('');
  } catch (error) {
    tell(error.message, 'Try again', moveOn);
  }
}

function showWriting(now) {
  writing.hidden = !now;
  if (!now) return;
  writing.textContent = `${now.verb} is writing`;
  writing.title = `since ${String(now.since).slice(0, 16).replace('T', ' ')} UTC; what is shown stays as it is`;
}

/* What failed is drawn anew. Tiles cannot tell the server the area that it forgot: a question of
   the page does it before they are asked for. */
async function goOn() {
  if (state.filters.region) await get(`api/count?${query({}, { search: false })}`);
  set({ retold: state.retold + 1, trouble: null });
}

async function ask() {
  clearTimeout(clock);
  let next = EVERY;
  if (!document.hidden) {
    try {
      const now = await get(`api/fresh?v=${encodeURIComponent(state.version)}`);
      showWriting(now.writing);
      if (lost) await goOn();
      lost = false;
      if (now.newer) tell(`Newer data are there${now.added ? ` (+${now.added})` : ''}`, 'Show', moveOn);
      else tell(state.trouble ?? '', state.trouble ? 'Close' : null, () => set({ trouble: null }));
    } catch (error) {
      if (error.status === 410) tell('Newer data are there', 'Show', moveOn);
      else {
        lost = true;
        tell('The server does not answer; trying again', null);
        next = SOON;
      }
    }
  }
  clock = setTimeout(ask, next);
}

export function start() {
  document.getElementById('tools').before(writing);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) ask();
  });
  on('trouble', ask); // is the server there, and has it what is asked for
  clock = setTimeout(ask, EVERY);
}

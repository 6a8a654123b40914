/* How much passes the filters: asked after each change of them, a few times a second at most. */

import { get } from './api.js';
import { on, query, set } from './state.js';

const AGAIN = 200;

let waiting = 0;
let newest = 0;

async function ask() {
  const mine = newest += 1;
  try {
    const count = await get(`api/count?${query()}`);
    if (mine === newest) set({ count, counting: false, trouble: null });
  } catch (error) {
    if (mine === newest && error.status !== 410) set({ counting: false, trouble: error.message });
  }
}

export function start() {
  on(['filters', 'search', 'version'], () => {
    clearTimeout(waiting);
    set({ counting: true });
    waiting = setTimeout(ask, AGAIN);
  });
  ask();
}

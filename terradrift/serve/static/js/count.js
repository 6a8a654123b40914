/* How much passes the filters: asked after each change of them, a few times a second at most. */

import { get } from './api.js';
import { on, query, set } from './state.js';

const AGAIN = 200;

let waiting = 0;
let newest = 0;

async function ask() {
  waiting = 0;
  const mine = (newest += 1);
  const told = (answer) => {
    if (mine === newest) set({ ...answer, counting: waiting !== 0 });
  };
  try {
    told({ count: await get(`api/count?${query()}`), trouble: null });
  } catch (error) {
    told({ trouble: error.message });
  }
}

export function start() {
  on(['filters', 'search', 'version'], () => {
    set({ counting: true });
    waiting ||= setTimeout(ask, AGAIN);
  });
  ask();
}

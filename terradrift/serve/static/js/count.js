/* How much passes the filters: asked after each change of them, a few times a second at most. */

import { get, post } from './api.js';
import { on, query, set, state } from './state.js';

const AGAIN = 200;
const GONE = 410;

let waiting = 0;
let newest = 0;

/* A server that was started anew, or has much to keep, forgot the area; it has the same name when
   it is told of it again. */
async function counted() {
  try {
    return await get(`api/count?${query()}`);
  } catch (error) {
    if (error.status !== GONE || !state.area) throw error;
    await post('api/regions', state.area.geometry);
    return get(`api/count?${query()}`);
  }
}

async function ask() {
  waiting = 0;
  const mine = newest += 1;
  const told = (answer) => {
    if (mine === newest) set({ ...answer, counting: waiting !== 0 });
  };
  try {
    told({ count: await counted(), trouble: null });
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

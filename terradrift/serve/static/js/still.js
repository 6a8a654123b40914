/* Where a processor draws the map, lines are most of the work: while it moves and frames are slow
   they wait until it rests. */

const SLOW = 30; // ms from frame to frame
const FRAMES = 4; // by whose median it is told
const REST = 150; // ms without a move
const NEAR = 1; // zoom levels within which a map that was slow is taken for slow again

/** Calls `hush(true)` while the map moves and is slow, `hush(false)` when it rests. */
export function hushWhileSlow(map, hush) {
  let hushed = false;
  let slowAt = null; // zoom
  let moved = 0;
  let drawn = 0;
  let gaps = [];
  let resting = 0;
  const turn = (now) => {
    if (now === hushed) return;
    hushed = now;
    hush(now);
  };
  const rest = () => {
    gaps = [];
    drawn = 0;
    turn(false);
  };
  map.on('move', () => {
    moved = performance.now();
    clearTimeout(resting);
    resting = setTimeout(rest, REST);
    if (slowAt !== null && Math.abs(map.getZoom() - slowAt) < NEAR) turn(true);
  });
  map.on('render', () => {
    const now = performance.now();
    if (hushed || now - moved > REST) return;
    if (drawn) gaps.push(now - drawn);
    drawn = now;
    if (gaps.length < FRAMES) return;
    gaps.sort((a, b) => a - b);
    slowAt = gaps[FRAMES / 2] > SLOW ? map.getZoom() : null;
    gaps = [];
  });
}

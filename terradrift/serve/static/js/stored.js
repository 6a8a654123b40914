/* What the browser remembers of this page; one that keeps nothing, as where storage is blocked or
   full, forgets it, and the page works all the same. */

const key = (name) => `terradrift.${name}`;

/** What was stored under a name, or null. */
export function stored(name) {
  try {
    return localStorage.getItem(key(name));
  } catch {
    return null;
  }
}

/** Remember a text under a name. */
export function store(name, value) {
  try {
    localStorage.setItem(key(name), value);
  } catch {
    /* asked for anew next time */
  }
}

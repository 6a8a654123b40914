/* Whether page and server are of one version. Started by itself, before the other modules: it has to
   speak where they fail, as they do when a file of the page is of another version than the rest. */

/** The terradrift that this page is part of. */
export const MADE_FOR = '0.1.0';

export const DIFFERENT = 'The page and the server are of different versions; reload';

/** Say so, once, with a button that reloads. */
export function tellDifferent() {
  if (document.getElementById('different')) return;
  const line = document.createElement('div');
  line.id = 'different';
  line.setAttribute('role', 'alert');
  const again = document.createElement('button');
  again.type = 'button';
  again.className = 'button primary';
  again.textContent = 'Reload';
  again.addEventListener('click', () => location.reload());
  line.append(DIFFERENT, again);
  document.body.append(line);
}

/** Compare with an answer of /api/archive. */
export function compare(archive) {
  if (archive.software !== MADE_FOR) tellDifferent();
}

/* A module that is not there fails its script; one that lacks a name is a fault of syntax. */
window.addEventListener(
  'error',
  (event) => {
    if (event.target?.tagName === 'SCRIPT' || event.error instanceof SyntaxError) tellDifferent();
  },
  true,
);

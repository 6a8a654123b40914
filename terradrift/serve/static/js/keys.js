/* Keys of the page: parts register theirs with words, and the help lists them all. */

const registered = [];
const TYPING =
  'input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]';

/**
 * Do `act(event)` on a key that is pressed outside fields of text.
 * @param {string} key as in KeyboardEvent.key: 'j', '/', '?', 'Escape'
 * @param {string} words what it does, for the help: 'Next in the list'
 * @param {function} act returns false where the key has nothing to do there
 * @param {string} group heading in the help: 'Map', 'List', 'Labels', 'Page'
 */
export function key(key_, words, act, group = 'Page') {
  registered.push({ key: key_, words, act, group });
}

/** Keys that an element handles by itself (arrows on the map), for the help alone. */
export function tell(key_, words, group = 'Page') {
  registered.push({ key: key_, words, act: null, group });
}

/** [{key, words, group}] in the order of registration. */
export const keys = () => registered.map(({ key: name, words, group }) => ({ key: name, words, group }));

/** Start listening; the part registered last is asked first. */
export function start() {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest?.(TYPING);
    if (typing) {
      if (event.key === 'Escape') typing.blur();
      return;
    }
    for (const { key: name, act } of [...registered].reverse()) {
      if (name !== event.key || !act || act(event) === false) continue;
      event.preventDefault();
      return;
    }
  });
}

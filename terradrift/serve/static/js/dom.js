/* Making elements: attributes by name, text always as text. */

/** `el('button', {class: 'button', onclick: f, 'aria-label': 'Close'}, 'text', child, ...)`. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (key === 'style')
      for (const [name_, v] of Object.entries(value)) made.style.setProperty(name_, v);
    else made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const SVG = 'http://www.w3.org/2000/svg';

/** The same for pictures. */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A line icon of 16 x 16 from the `d` of its path. */
export const icon = (d) =>
  svg(
    'svg',
    {
      viewBox: '0 0 16 16',
      fill: 'none',
      stroke: 'currentColor',
      'stroke-width': 1.5,
      'stroke-linecap': 'round',
      'stroke-linejoin': 'round',
      'aria-hidden': 'true',
    },
    svg('path', { d }),
  );

/** 1204 -> '1,204'. */
export const number = (n) => new Intl.NumberFormat('en').format(n);

/** Instant or day of ISO 8601 -> '2021-06-03'. */
export const day = (instant) => (instant ? String(instant).slice(0, 10) : '');

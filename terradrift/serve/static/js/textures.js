/* Textures for classes beyond the seventh, by name of an image of the map. */

import { el } from './dom.js';
import { map } from './map.js';
import { INKS } from './scales.js';

function pattern(draw) {
  const size = 8;
  const canvas = el('canvas', { width: size, height: size });
  const pen = canvas.getContext('2d');
  draw(pen, size);
  return pen.getImageData(0, 0, size, size);
}

/* Two textures over a colour, and one of nothing, for classes beyond the seventh. */
export function addTextures() {
  const ratio = { pixelRatio: 1 };
  for (const [theme, ink] of Object.entries(INKS)) {
    map.addImage(
      `hatched-${theme}`,
      pattern((pen, n) => {
        pen.strokeStyle = ink.halo;
        pen.lineWidth = 2;
        for (const by of [-n, 0, n]) {
          pen.beginPath();
          pen.moveTo(by, n);
          pen.lineTo(by + n, 0);
          pen.stroke();
        }
      }),
      ratio,
    );
    map.addImage(
      `dotted-${theme}`,
      pattern((pen, n) => {
        pen.fillStyle = ink.halo;
        pen.beginPath();
        pen.arc(n / 2, n / 2, 2, 0, 2 * Math.PI);
        pen.fill();
      }),
      ratio,
    );
  }
  map.addImage(
    'plain',
    pattern(() => {}),
    ratio,
  );
}

/* A small mosaic of clear scenes of the archive under everything else. */

import { get } from './api.js';
import { underAll } from './layers.js';
import { map } from './map.js';
import { on, set, state } from './state.js';

function show() {
  const { url, coordinates } = state.backdrop ?? {};
  if (!url) return;
  if (!map.getSource('background')) {
    map.addSource('background', { type: 'image', url: new URL(url, document.baseURI).href, coordinates });
    map.addLayer(
      {
        id: 'background',
        type: 'raster',
        source: 'background',
        paint: { 'raster-fade-duration': 0, 'raster-saturation': -0.3 },
      },
      underAll(),
    );
  }
  map.setLayoutProperty('background', 'visibility', state.backdropOn ? 'visible' : 'none');
  map.setPaintProperty('background', 'raster-opacity', state.backdropOpacity);
}

export function start() {
  on(['backdrop', 'backdropOn', 'backdropOpacity'], show);
  const ask = async () => set({ backdrop: await get(`api/background?v=${state.version}`) });
  const refused = () => set({ backdrop: null });
  map.once('idle', () => {
    ask().catch(refused);
  }); // what is found comes first
}

/* Starts the page: asks what the archive holds, then hands each part its place. */

import { get } from './api.js';
import { set } from './state.js';

const archive = await get('api/archive');
set({ archive, version: archive.version });
document.title = `${archive.name} - terradrift`;

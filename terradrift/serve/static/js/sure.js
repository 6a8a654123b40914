/* How sure a change is, beside its score: how often nothing does as much. */

import { el } from './dom.js';
import { figures, number } from './say.js';

const AS_MUCH = 'unchanged patches per 1,000 km\u00b2 and year score as much';

const known = (value) => value !== null && value !== undefined;

const rate = (alarms) => (alarms < 0.01 ? '< 0.01' : alarms < 100 ? figures(Number(alarms.toPrecision(2))) : number(alarms));

const share = (q) => (q > 0 && q < 0.001 ? '< 0.001' : number(q, q < 0.1 ? 3 : 2));

/* All that is known, in sentences. */
function sentences({ p_value: p, q_value: q, false_alarms: alarms }) {
  if (!known(p)) return 'Not calibrated: fewer than 20 patches have a score to rank it among, so how often chance does as much is not known';
  return [
    known(alarms) && `${rate(alarms)} ${AS_MUCH}`,
    known(q) && `q ${share(q)}: of all patches whose strongest candidate is as unlikely, so large a share is expected to be unchanged`,
    `p ${figures(p)}: how likely an unchanged patch has a candidate as strong in its whole history`,
  ].filter(Boolean).join('. ');
}

/** `q 0.47`, the words as its title; `long` says the false alarms as well. */
export function sure(row, long = false) {
  const { p_value: p, q_value: q, false_alarms: alarms } = row;
  const title = sentences(row);
  if (!known(p)) return el('span', { class: 'sure unsure', title }, 'not calibrated');
  const short = known(q) ? `q ${share(q)}` : `p ${figures(p)}`;
  const half = known(q) && q >= 0.5; // as many are expected to be unchanged as not
  return el('span', { class: half ? 'sure unsure' : 'sure', title },
    long && known(alarms) ? `${short} \u00b7 ${rate(alarms)} ${AS_MUCH}` : short);
}

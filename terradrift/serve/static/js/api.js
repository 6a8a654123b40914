/* Questions to the server; a fault becomes an Error with the server's own line. */

async function answered(response) {
  if (response.ok) return response;
  let words = `${response.status} ${response.statusText}`;
  try { words = (await response.json()).error || words; } catch { /* no JSON: keep the status */ }
  const error = new Error(words);
  error.status = response.status;
  throw error;
}

const GONE = 410;
let mend = null;

/** What a server forgot may be told it again: `act` resolves to whether there was anything to tell. */
export const onGone = (act) => { mend = act; };

const ask = (path, options) => fetch(path, options).then(answered);

/** The response to a question, for what is no JSON. */
export async function response(path, options) {
  try {
    return await ask(path, options);
  } catch (error) {
    if (error.status === GONE && mend && await mend()) return ask(path, options);
    throw error;
  }
}

export const get = (path, options) => response(path, options).then((answer) => answer.json());

/** Options of a request that sends JSON. */
export const sending = (body) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

export const post = (path, body) => ask(path, sending(body)).then((answer) => answer.json());

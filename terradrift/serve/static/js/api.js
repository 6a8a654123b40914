/* Questions to the server; a fault becomes an Error with the server's own line. */

async function answered(response) {
  if (response.ok) return response.json();
  let words = `${response.status} ${response.statusText}`;
  try { words = (await response.json()).error || words; } catch { /* no JSON: keep the status */ }
  const error = new Error(words);
  error.status = response.status;
  throw error;
}

export const get = (path, options) => fetch(path, options).then(answered);

export const post = (path, body) => fetch(path, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
}).then(answered);

// A gateway as far as a subscription sees it: views in memory, streams that go on behind a token, and cuts.
import { createServer } from 'node:http';

/** Starts one; `view` is what it shows. */
export async function fakeGateway() {
  const rows = new Map();
  const log = [];
  const open = new Set();
  const asked = [];
  let refuses = null;
  let part = Infinity;
  let cuts = 0;
  let isForgotten = false;
  const text = (event, data, id) => `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
  const server = createServer((request, response) => {
    asked.push({ url: request.url, headers: request.headers });
    if (refuses) {
      const { status, ...document } = refuses;
      response.writeHead(status, { 'content-type': 'application/problem+json' });
      return response.end(JSON.stringify({ type: 'about:blank', title: 'No', status, ...document }));
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': a stream\n\n');
    const token = request.headers['last-event-id'];
    const from = token === undefined ? NaN : Number(token);
    if (Number.isInteger(from) && from <= log.length && !isForgotten) {
      for (const [place, change] of log.slice(from).entries()) response.write(text('change', change, from + place + 1));
    } else {
      if (token !== undefined) response.write(text('reset', {}));
      isForgotten = false;
      const all = [...rows.values()];
      for (let place = 0; place === 0 || place < all.length; place += part) {
        const more = place + part < all.length;
        response.write(text('snapshot', { rows: all.slice(place, place + part), more }, more ? undefined : log.length));
        if (more && cuts > 0) return (cuts -= 1), setTimeout(() => response.destroy(), 20);
      }
    }
    response.write(text('live', {}, log.length));
    open.add(response);
    response.on('close', () => open.delete(response));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const key = ({ calendar_id, start, timeslot_id }) => ({ calendar_id, start, timeslot_id });
  const change = (row, isGone) => {
    const entry = { key: key(row), row: isGone ? null : row };
    if (isGone) rows.delete(JSON.stringify(key(row)));
    else rows.set(JSON.stringify(key(row)), row);
    log.push(entry);
    for (const response of open) response.write(text('change', entry, log.length));
  };
  return {
    base: `http://127.0.0.1:${server.address().port}`,
    asked,
    put: (row) => change(row, false),
    remove: (row) => change(row, true),
    rows: () => [...rows.values()],
    connections: () => open.size,
    cut: () => open.forEach((response) => response.destroy()),
    refuse: (problem) => (refuses = problem),
    /** Snapshots come in parts of so many rows. */
    partly: (rows) => (part = rows),
    /** The next so many are cut behind their first part. */
    cutIn: (count) => (cuts = count),
    /** Nothing is gone on with the next time. */
    forget: () => (isForgotten = true),
    send: (raw) => open.forEach((response) => response.write(raw)),
    stop: () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())),
  };
}

/** Waits until it holds. */
export async function until(what, holds, within = 10_000) {
  const end = Date.now() + within;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

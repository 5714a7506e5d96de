// Requests made comparable. The query is compared to the byte, parameter by
// parameter: the SDK writes list's parameters in an order of its own source
// (auth configs, cursor, limit, …), we write them in the order of the API
// reference, and the service does not care; so both are sorted here, and that
// ours stand in the reference's order is asserted beside it.
// Must not know: who made a request.
import assert from 'node:assert/strict';

const REFERENCE = {
  connected_accounts: [
    'toolkit_slugs',
    'statuses',
    'user_ids',
    'auth_config_ids',
    'connected_account_ids',
    'account_type',
    'order_by',
    'order_direction',
    'limit',
    'cursor',
    'redirect_url',
    'revoke_on_delete',
  ],
  auth_configs: ['cursor', 'is_composio_managed', 'limit', 'search', 'show_disabled', 'toolkit_slug'],
};

const params = row => (row.path.split('?')[1] ?? '').split('&').filter(Boolean);

// Method, path, sorted raw parameters, body as JSON, and what headers say of it.
export function wire(row) {
  return {
    method: row.method,
    path: row.path.split('?')[0],
    query: params(row).sort(),
    body: row.body === null ? null : JSON.parse(row.body),
    type: row.body === null ? undefined : row.headers['content-type'],
    accept: row.headers.accept,
    credentials: row.credentials,
  };
}

// Only what a line of the table of differences says of a request.
export function line(row) {
  return [row.method, row.path.replace('/api/v3.1', ''), row.body]
    .filter(part => part !== null && part !== '')
    .join(' ');
}

export function assertReferenceOrder(row) {
  const names = params(row).map(param => param.split('=')[0]);
  const order = REFERENCE[row.path.split(/[/?]/)[3]];
  const sorted = [...names].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  assert.deepEqual(names, sorted, `order of parameters in ${row.path}`);
  for (const name of names) assert.ok(order.includes(name), `unknown parameter ${name} in ${row.path}`);
}

// What both clients say of a success, in one shape. The ports of the two
// emulators differ, and each client names fields its own way.
export function outcome(value) {
  const local = text => text?.replace(/127\.0\.0\.1:\d+/, 'HOST');
  if (value === undefined || value === null) return value;
  if (value.items) {
    const next = value.nextCursor ?? value.next_cursor;
    // an empty list comes out of the caller's JSON as {}
    const items = Object.keys(value.items).length ? value.items : [];
    return { ids: items.map(item => item.id), next: next ?? null, pages: value.totalPages ?? value.total_pages };
  }
  const url = value.redirectUrl ?? value.redirect_url;
  if (value.toolkit)
    return { id: value.id, status: value.status, alias: value.alias ?? null, toolkit: value.toolkit.slug };
  // of the generated client: the reply as it came
  if (value.connected_account_id) return { id: value.connected_account_id, status: 'INITIATED', url: local(url) };
  if (value.id && !value.success) return { id: value.id, status: value.status, url: local(url) ?? null };
  return value;
}

// An error's class and HTTP status; errors of the SDK's generated client are
// all named Error, their class says which they are.
export function failure(error) {
  return {
    name: error.name === 'Error' ? error.constructor.name : error.name,
    status: error.status ?? error.cause?.status ?? error.statusCode ?? null,
  };
}

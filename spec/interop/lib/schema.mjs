// Holds replies to schema.json: the status must be one the operation documents,
// the body must fit it, and the headers every reply carries must be there.
// Must not know: who asked.
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';

const document = JSON.parse(readFileSync(new URL('../schema.json', import.meta.url), 'utf8'));

const ajv = new Ajv({ allErrors: true, discriminator: true, strict: true, strictTypes: false, strictRequired: false });
ajv.addSchema({ $id: 'schema', definitions: document.definitions });

const compiled = new Map();
function validator(name) {
  if (!compiled.has(name)) compiled.set(name, ajv.compile({ $ref: `schema#/definitions/${name}` }));
  return compiled.get(name);
}

const PREFIX = /^\/api\/v3(\.1)?/;
const FIXED = new Set(['link', 'complete_auth', 'status', 'refresh', 'revoke', 'ENABLED', 'DISABLED', '']);

// "GET /connected_accounts/{id}" of a method and a target with its query.
export function operationOf(method, target) {
  const segments = target.split('?')[0].replace(PREFIX, '').split('/').slice(1);
  const path = segments.map((segment, place) => (place === 0 || FIXED.has(segment) ? segment : '{id}'));
  return `${method} /${path.join('/')}`;
}

export const operations = document.operations;

export function problemsOfBody(component, body) {
  const check = validator(component);
  if (check(body)) return [];
  return check.errors.map(error => `${error.instancePath || 'body'} ${error.message} ${JSON.stringify(error.params)}`);
}

function problemsOfHeaders({ status, headers }) {
  const wanted = [
    'x-ratelimit',
    'x-ratelimit-remaining',
    'x-ratelimit-window-size',
    ...(status === 429 ? ['retry-after'] : []),
  ];
  const problems = wanted.filter(name => headers[name] === undefined).map(name => `no header ${name}`);
  if (!/^application\/json/.test(headers['content-type'] ?? ''))
    problems.push(`content-type ${headers['content-type']}`);
  return problems;
}

// What is wrong with a reply, as sentences; [] when nothing is.
export function problemsOfReply(exchange) {
  const operation = operationOf(exchange.method, exchange.target);
  const row = operations[operation];
  if (!row) return [`${operation} is no operation of the schema`];
  const component = row[exchange.status];
  if (!component) return [`${operation} does not document status ${exchange.status}: ${exchange.body.slice(0, 200)}`];
  let body;
  try {
    body = JSON.parse(exchange.body);
  } catch {
    return [`${operation} ${exchange.status} is not JSON: ${exchange.body.slice(0, 200)}`];
  }
  const problems = [...problemsOfHeaders(exchange), ...problemsOfBody(component, body)];
  if (component === 'Error' && body.error?.status !== exchange.status) {
    problems.push(`error.status ${body.error?.status} in a reply of status ${exchange.status}`);
  }
  return problems.map(problem => `${operation} ${exchange.status}: ${problem}`);
}

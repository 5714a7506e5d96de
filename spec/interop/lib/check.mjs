// What several test files assert the same way.
import assert from 'node:assert/strict';
import test from 'node:test';
import { warnings } from './stage.mjs';
import { strangers } from './loopback.mjs';

// The error of a promise that must fail, with the given fields.
export async function refusal(promise, fields) {
  const error = await promise.then(
    value => assert.fail(`expected an error, got ${JSON.stringify(value)}`),
    raised => raised,
  );
  for (const [name, wanted] of Object.entries(fields)) {
    if (wanted instanceof RegExp) assert.match(String(error[name]), wanted, name);
    else if (typeof wanted === 'function') assert.ok(error instanceof wanted, `${name}: ${error}`);
    else assert.deepEqual(error[name], wanted, `${name} of ${error}`);
  }
  return error;
}

// What the SDK said on the console since the last call.
export function said() {
  return warnings.splice(0);
}

// The last test of every file: nothing the emulator answered broke the schema,
// nothing puzzled the SDK, nobody spoke to the outside.
export function closing(stages, { atLeast, expected = [] }) {
  test('every reply fits the schema, and the SDK found none of them odd', () => {
    const all = stages();
    const replies = all.reduce((sum, stage) => sum + stage.exchanges.length, 0);
    assert.deepEqual([...new Set(all.flatMap(stage => stage.problems))], []);
    assert.ok(replies >= atLeast, `${replies} replies were looked at, expected ${atLeast} or more`);
    assert.deepEqual(
      said().filter(line => !expected.some(pattern => pattern.test(line))),
      [],
    );
    assert.deepEqual(strangers, []);
  });
}

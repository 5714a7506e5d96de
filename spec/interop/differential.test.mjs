// The same calls by the SDK and by our module, each against an emulator of its
// own: the requests that reached the two must be the same, and so must what the
// two clients make of the replies.
import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { AuthScheme, openStage } from './lib/stage.mjs';
import { closing } from './lib/check.mjs';
import { assertReferenceOrder, failure, outcome, wire } from './lib/wire.mjs';
import { calls, helpers } from './calls.mjs';
import { ourFailure } from './differences.mjs';

let theirs;
let ours;
let compared = 0;

before(async () => {
  [theirs, ours] = await Promise.all([openStage({ retries: 0 }), openStage({ retries: 0 })]);
});
after(() => Promise.all([theirs.close(), ours.close()]));

async function run(stage, call, make) {
  await stage.reset();
  const world = await call.arrange?.(stage);
  await stage.requests();
  const result = await make(world);
  return { world, result, requests: await stage.requests() };
}

const settle = promise =>
  promise.then(
    value => ({ ok: true, value }),
    error => ({ ok: false, error }),
  );

async function compare(call) {
  const chunk = world => `return ${typeof call.lua === 'function' ? call.lua(world) : call.lua}`;
  const [sdk, lua] = await Promise.all([
    run(theirs, call, world => settle(call.sdk(theirs, world))),
    run(ours, call, world => ours.lua(chunk(world))),
  ]);
  assert.deepEqual(lua.world, sdk.world, 'the two emulators are in the same state');
  assert.ok(!lua.result.error?.syntax, lua.result.error?.message);
  assert.notEqual(sdk.requests.length, 0, 'the SDK sent something');
  assert.deepEqual(lua.requests.map(wire), sdk.requests.map(wire), 'requests');
  for (const row of lua.requests) assertReferenceOrder(row);
  assert.equal(lua.result.ok, sdk.result.ok, `outcome: ${sdk.result.error} / ${JSON.stringify(lua.result.error)}`);
  if (lua.result.ok) assert.deepEqual(outcome(lua.result.value), outcome(JSON.parse(JSON.stringify(sdk.result.value))));
  else
    assert.deepEqual(failure(lua.result.error), ourFailure(failure(sdk.result.error), sdk.requests.at(-1)), 'errors');
  compared++;
}

const groups =
  Map.groupBy?.(calls, call => call.group) ??
  calls.reduce((map, call) => map.set(call.group, [...(map.get(call.group) ?? []), call]), new Map());
for (const [group, rows] of groups) {
  test(`${group}: ${rows.length} calls are the same on the wire`, async () => {
    const failures = [];
    for (const call of rows) await compare(call).catch(error => failures.push(`${call.name}: ${error.message}`));
    assert.ok(!failures.length, `${failures.length} of ${rows.length} differ:\n${failures.slice(0, 20).join('\n')}`);
  });
}

test('every helper of the SDK, and at least 120 calls, were compared', t => {
  const known = Object.getOwnPropertyNames(AuthScheme).filter(name => typeof AuthScheme[name] === 'function');
  assert.deepEqual([...helpers].sort(), known.sort());
  assert.equal(compared, calls.length);
  assert.ok(compared >= 120, `${compared} calls`);
  assert.equal(new Set(calls.map(call => `${call.group} ${call.name}`)).size, calls.length, 'no call is listed twice');
  t.diagnostic(`${compared} calls compared`);
});

closing(() => [theirs, ours], {
  atLeast: 1000,
  expected: [/Unsupported auth scheme.*\n.*"options":\["INITIALIZING","INITIATED","ACTIVE","INACTIVE"\]/],
});

// Each line of the table of differences: the SDK does exactly what it says of
// the SDK, our module exactly what it says of us.
import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { openStage } from './lib/stage.mjs';
import { closing, said } from './lib/check.mjs';
import { line } from './lib/wire.mjs';
import { differences, headers } from './differences.mjs';

let theirs;
let ours;

before(async () => {
  [theirs, ours] = await Promise.all([openStage(), openStage()]);
});
after(() => Promise.all([theirs.close(), ours.close()]));

async function run(stage, row, make) {
  await stage.reset();
  const world = await row.arrange?.(stage);
  await stage.requests();
  const work = async () => {
    const began = performance.now();
    const result = await make(world);
    return { ...result, seconds: (performance.now() - began) / 1000 };
  };
  const result = row.faults
    ? await stage.withFaults(row.faults, work)
    : row.odd
      ? await stage.withFaults([], work)
      : await work();
  return { world, result, lines: (await stage.requests()).map(line) };
}

async function call(make) {
  try {
    return { ok: true, value: await make() };
  } catch (error) {
    return { ok: false, error };
  }
}

function hold(side, { world, result, lines }, row) {
  const said = row[side];
  const wanted = typeof said.lines === 'function' ? said.lines(world) : said.lines;
  assert.deepEqual(lines, wanted, `requests of ${side}`);
  assert.equal(result.ok, !said.raises, `${side}: ${result.error?.message ?? JSON.stringify(result.value)}`);
  const fields = said.raises instanceof RegExp ? { message: said.raises } : (said.raises ?? {});
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof RegExp) assert.match(result.error[name], value, `${name} of ${side}`);
    else assert.equal(result.error[name], value, `${name} of ${side}`);
  }
  if (said.seconds) assert.ok(result.seconds >= said.seconds, `${side} took ${result.seconds} s`);
}

for (const row of differences) {
  test(`${row.name}: ${row.why}`, async () => {
    const chunk = world => `return ${typeof row.lua === 'function' ? row.lua(world) : row.lua}`;
    const [sdk, lua] = await Promise.all([
      run(theirs, row, world => call(() => row.sdk(theirs, world))),
      run(ours, row, world => ours.lua(chunk(world))),
    ]);
    hold('theirs', sdk, row);
    hold('ours', lua, row);
    if (row.sooner)
      assert.ok(lua.result.seconds < sdk.result.seconds, `${lua.result.seconds} s and ${sdk.result.seconds} s`);
  });
}

test(`headers: ${headers.why}`, async () => {
  await Promise.all([theirs.reset(), ours.reset()]);
  await Promise.all([theirs.requests(), ours.requests()]);
  await theirs.accounts.link('user_new', 'ac_GithubManage');
  await ours.lua('return accounts.link("user_new", "ac_GithubManage")');
  const [sdk, lua] = [await theirs.requests(), await ours.requests()];
  assert.deepEqual([sdk.length, lua.length], [2, 2]);
  for (const [place, row] of lua.entries()) {
    const names = { sdk: Object.keys(sdk[place].headers), lua: Object.keys(row.headers) };
    const only = (here, there) => names[here].filter(name => !names[there].includes(name));
    const unexplained = (list, patterns) => list.filter(name => !patterns.some(pattern => pattern.test(name)));
    const onlyTheirs = [...headers.onlyTheirs, ...(row.method === 'GET' ? [] : headers.onlyTheirsOfChanges)];
    assert.deepEqual(unexplained(only('sdk', 'lua'), onlyTheirs), []);
    assert.deepEqual(unexplained(only('lua', 'sdk'), headers.onlyOurs), []);
    for (const pattern of onlyTheirs)
      assert.ok(
        only('sdk', 'lua').some(name => pattern.test(name)),
        pattern,
      );
    assert.match(row.headers['x-request-id'], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
  assert.notEqual(lua[0].headers['x-request-id'], lua[1].headers['x-request-id']);
});

test('one x-request-id for all attempts of an operation, and errors tell it', async () => {
  await ours.requests();
  const rule = {
    path: '/api/*',
    action: 'reply',
    status: 503,
    body: { error: { message: 'ordered', code: 1, slug: 'Ordered', status: 503 } },
  };
  const { error } = await ours.withFaults([rule], () => ours.lua('return accounts.get("ca_github_u123A")'));
  const ids = (await ours.requests()).map(row => row.headers['x-request-id']);
  assert.equal(ids.length, 3);
  assert.deepEqual(new Set(ids), new Set([error.request_id]));
});

test('the table was read whole', t => {
  t.diagnostic(`${differences.length} differences held`);
  assert.equal(new Set(differences.map(row => row.name)).size, differences.length);
  assert.ok(differences.every(row => row.why.length > 10));
  said(); // of the calls that were made to go wrong
});

closing(() => [theirs, ours], { atLeast: 60 });

// What the run prints: each failure, what was counted, and one closing line.
import { inspect } from 'node:util';

function* failure({ name, file, details }) {
  const { error } = details;
  const cause = error.cause ?? error;
  yield `FAILED ${file?.split('/').pop() ?? ''}: ${name}\n`;
  const text = cause?.message && cause.code === 'ERR_ASSERTION' ? cause.message : inspect(cause);
  yield `${text.replace(/^/gm, '    ')}\n`;
}

export default async function* report(events) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for await (const { type, data } of events) {
    if (type === 'test:stderr') yield data.message;
    else if (type === 'test:diagnostic' && /^\d+ (calls compared|differences held)$/.test(data.message))
      yield `${data.message}\n`;
    else if (type === 'test:pass' && data.details.type !== 'suite') data.skip === undefined ? passed++ : skipped++;
    else if (type === 'test:fail' && data.details.type !== 'suite') {
      failed++;
      yield* failure(data);
    }
  }
  yield `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}\n`;
}

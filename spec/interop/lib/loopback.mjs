// No byte leaves this machine while the tests run: a connection to anything
// but loopback is refused here and remembered. Imported before the SDK.
import net from 'node:net';

export const strangers = [];

const connect = net.Socket.prototype.connect;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  const host = typeof options === 'object' ? (options.host ?? 'localhost') : (args[1] ?? 'localhost');
  if (!(typeof options === 'object' && options.path) && !LOOPBACK.has(host)) {
    strangers.push(host);
    throw new Error(`the interop tests speak to loopback only, not to ${host}`);
  }
  return connect.apply(this, args);
};

// A proxy on loopback that passes every byte on and keeps each exchange: the
// emulator's own log keeps requests, this keeps the replies beside them.
// Must not know: what a reply should look like.
import http from 'node:http';

export async function openProxy(target, onExchange) {
  const { hostname, port } = new URL(target);
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((request, reply) => {
    const { method, url, headers } = request;
    const onward = http.request({ hostname, port, method, path: url, headers, agent }, answer => {
      const chunks = [];
      answer.on('data', chunk => chunks.push(chunk));
      answer.on('error', () => reply.destroy());
      answer.on('end', () => {
        const body = Buffer.concat(chunks);
        onExchange({
          method,
          target: url,
          status: answer.statusCode,
          headers: answer.headers,
          body: body.toString('utf8'),
        });
        reply.writeHead(answer.statusCode, answer.rawHeaders);
        reply.end(body);
      });
    });
    onward.on('error', () => reply.destroy());
    request.pipe(onward);
  });
  await new Promise(ready => server.listen(0, '127.0.0.1', ready));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      agent.destroy();
      server.closeAllConnections();
      return new Promise(done => server.close(done));
    },
  };
}

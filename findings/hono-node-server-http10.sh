#!/bin/sh
# @hono/node-server 2.1.8 (hono 4.13.19) answers a request without Host, which HTTP/1.0 allows (RFC 9112 3.2), with an empty
# 400 before the app is asked; with `hostname` it takes that for the name and asks the app.
# So: gateway/mqtt/bootstrap.ts gives it a name and answers in its own envelope (test/gateway/mqtt/mqtt-bootstrap-http.test.ts).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type":"module"}' >package.json
npm install --silent --no-audit --no-fund @hono/node-server@2.1.8 hono@4.13.19
cat >ask.js <<'JS'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'

const app = new Hono().get('/', (c) => c.text(`the app, called ${new URL(c.req.url).hostname}`))
const said = []
for (const hostname of [undefined, 'localhost']) {
  const server = createAdaptorServer({ fetch: app.fetch, hostname })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const socket = connect(server.address().port, '127.0.0.1')
  socket.write('GET / HTTP/1.0\r\n\r\n')
  const [head, body] = (await text(socket)).split('\r\n\r\n')
  said.push(`hostname ${hostname}: ${head.split('\r\n')[0]}, body ${JSON.stringify(body)}`)
  server.close()
}
console.log(`node ${process.version}\n${said.join('\n')}`)
const isSo = said[0].includes('400') && said[0].endsWith('""') && said[1].includes('the app, called localhost')
if (!isSo) console.log('It has changed: look again at `nameless` in gateway/mqtt/bootstrap.ts')
process.exit(isSo ? 0 : 1)
JS
node ask.js

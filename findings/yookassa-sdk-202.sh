#!/bin/sh
# @webzaytsev/yookassa-ts-sdk 3.1.0 gives whatever came with 2xx as the payment: of a 202 (still processing) an object without id
# and status, of a page of HTML that page as a string. After 429 it asks again in a second, whatever Retry-After says.
# So: our own client, api/providers/yookassa-api.ts (docs/decisions.md "Payment providers are asked by fetch").
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"type":"module"}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts @webzaytsev/yookassa-ts-sdk@3.1.0
cat >ask.js <<'JS'
import { once } from 'node:events'
import { createServer } from 'node:http'
import sdk from '@webzaytsev/yookassa-ts-sdk'

let asked = []
let answer
const server = createServer((_, response) => {
  asked.push(performance.now())
  const { status, headers, body } = answer
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
})
await once(server.listen(0, '127.0.0.1'), 'listening')
const endpoint = `http://127.0.0.1:${server.address().port}`
const shop = sdk.YooKassa({ shop_id: '1', secret_key: 'test_key', endpoint, retries: 1 }, true)
const payment = {
  amount: { value: '1.00', currency: 'RUB' },
  capture: true,
  confirmation: { type: 'redirect', return_url: 'https://example.org' },
}
async function create(key, said) {
  asked = []
  answer = said
  const told = await shop.payments.create(payment, key).catch((error) => `threw ${error.name}`)
  const waited = asked.length > 1 ? `, asked again after ${Math.round((asked[1] - asked[0]) / 1000)} s` : ''
  return `${said.status}: ${JSON.stringify(told)}${waited}`
}
const processing = { type: 'processing', description: 'in progress', retry_after: 1800 }
const busy = { type: 'error', id: '1', code: 'too_many_requests', description: 'later' }
const said = [
  await create('one', { status: 202, body: JSON.stringify(processing) }),
  await create('two', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>maintenance</html>' }),
  await create('three', { status: 429, headers: { 'retry-after': '3' }, body: JSON.stringify(busy) }),
]
console.log(`node ${process.version}, @webzaytsev/yookassa-ts-sdk 3.1.0\n${said.join('\n')}`)
const isSo = said[0].includes('"processing"') && said[1].includes('<html>') && said[2].endsWith('after 1 s')
if (!isSo) console.log('It has changed: look again at docs/decisions.md "Payment providers are asked by fetch"')
server.close()
server.closeAllConnections()
process.exit(isSo ? 0 : 1)
JS
node ask.js

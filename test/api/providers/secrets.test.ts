import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import type { Reply } from '../../../api/providers/call.ts'
import { type PaymentApis, paymentApis } from '../../../api/providers/payment-apis.ts'
import { credentials, limits } from './simulated.ts'

const [shopId = '', secretKey = ''] = credentials.yookassa.split(':')
const firstSecret = 'secret word 1'
const secrets = [
  secretKey,
  Buffer.from(credentials.yookassa).toString('base64'),
  firstSecret,
  credentials.cryptopay,
  credentials.freekassa,
  credentials.tribute,
  credentials.stars,
  credentials.panel,
]

/** Somebody who says back whatever was said, in the words of each provider's refusals. */
async function echo() {
  const heard: string[] = []
  const server = createServer(async (request, response) => {
    const said = `${request.url} ${JSON.stringify(request.headers)} ${await text(request)} ${firstSecret}`
    heard.push(said)
    const words = { type: 'error', code: said, description: said, message: said, errorCode: said }
    const body = {
      ...words,
      ok: false,
      error_code: 400,
      error: request.headers['api-key'] ? said : { code: 400, name: said },
    }
    response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    await once(server.close(), 'close')
  })
  return { heard, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function apisAt(url: string) {
  const at = { ...limits, url }
  const shop = { ...at, payUrl: url, merchantId: '777', firstSecret, apiKey: credentials.freekassa, payerAddress: null }
  return paymentApis({
    yookassa: { ...at, shopId, secretKey, receipts: null },
    cryptopay: { ...at, token: credentials.cryptopay, currencyType: 'fiat', currency: 'RUB' },
    freekassa: shop,
    tribute: { ...at, apiKey: credentials.tribute },
    telegram: { ...at, token: credentials.stars },
    panel: { ...at, apiKey: credentials.panel, version: '3', newcomers: { tag: null, squads: [], devicesMax: null } },
  })
}

const questions: [keyof PaymentApis, (apis: PaymentApis) => Promise<Reply<unknown>>][] = [
  ['yookassa', ({ yookassa }) => yookassa!.cancel('2276a845-000f-5000-a000-172bd5b5821a', 'cancel:1')],
  ['cryptopay', ({ cryptopay }) => cryptopay!.invoices([1])],
  ['freekassa', ({ freekassa }) => freekassa!.orders('1', 1)],
  ['tribute', ({ tribute }) => tribute!.order('1')],
  ['telegram', ({ telegram }) => telegram!.send(1, { title: 'Здравствуйте', body: 'x' })],
  ['panel', ({ panel }) => panel!.byUsername('tg_1')],
]

test.each(questions)('%s: no secret is told of a refusal that says everything back', async (_, ask) => {
  const { url, heard } = await echo()
  const reply = await ask(apisAt(url))
  expect(reply.kind).toBe('refused')
  expect(secrets.some((secret) => heard[0]!.includes(secret))).toBe(true)
  for (const secret of secrets) expect(JSON.stringify(reply)).not.toContain(secret)
})

test.each(questions)('%s: no secret and no address is told where nobody listens', async (_, ask) => {
  const reply = await ask(apisAt('http://127.0.0.1:9'))
  expect(reply).toMatchObject({ kind: expect.stringMatching(/^(?:later|doubtful)$/) })
  for (const secret of [...secrets, '127.0.0.1']) expect(JSON.stringify(reply)).not.toContain(secret)
})

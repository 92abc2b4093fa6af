import { readFileSync } from 'node:fs'
import { mayDial } from '../dial.ts'
import { durationOf, tool, wholeOf } from '../options.ts'
import { stopped } from '../stopped.ts'
import { faultNames, faultOf } from './fault.ts'
import type { Scheme } from './freekassa-notices.ts'
import { type About, freshNumber } from './notice.ts'
import { type Delivery, type Postman, postman } from './postman.ts'
import {
  isProvider,
  type Particulars,
  type ProviderName,
  providerNames,
  simulate,
  tellerOf,
} from './provider-simulator.ts'

const unspecific: Particulars = {
  merchantId: '12345',
  firstSecret: '',
  scheme: 'md5',
  telegramId: 123_456,
  panelVersion: '3',
  needsReceipts: false,
}

/** For --help. */
export const providerManual = `NAME is one of ${providerNames.join(', ')}.

Notices, each signed as the provider signs it, one line of JSON for each attempt; ends with 1 when one was not taken:
  npm run sim -- provider yookassa --url http://localhost:8000/webhook/yookassa --event payment.succeeded --order 42
  npm run sim -- provider cryptopay --url … --secret TOKEN --event invoice_paid --id 528890 --order 42 --amount 299.00
  npm run sim -- provider stars --url … --secret SECRET --event all          (every kind once)
  npm run sim -- provider tribute --url … --secret KEY --event new_subscription --body notice.json   (these bytes)
Secrets: cryptopay the token; freekassa secret word 2; tribute the key; stars and panel the webhook's secret; yookassa has none.

Its API on this machine, with memory, pages where people pay (GET /pay/ID, ?act=cancel) and notices to --url:
  npm run sim -- provider yookassa --serve 9101 --credential 100500:test_key --url … --pay-after 2s --fault 429:2
Credentials: yookassa shopId:key; cryptopay token; freekassa key of the API; tribute key; stars token of the bot; panel token.
Set YOOKASSA_API_URL and its like to http://localhost:9101.

Faults: ${faultNames.join(', ')}; NAME:2 for the next two. timeout, reset, 5xx and
processing (202) come after the provider did what it was asked; 429 and html instead of it.

Events:
${providerNames.map((name) => `  ${name}: ${tellerOf(name, unspecific).events.join(', ')}`).join('\n')}
`

const minorPerUnit = 100
const scheme = (text: string): Scheme => {
  if (text === 'md5' || text === 'hmac-seed') return text
  throw new RangeError(`--scheme ${text}: md5 or hmac-seed is wanted`)
}
const version = (text: string): '2' | '3' => {
  if (text === '2' || text === '3') return text
  throw new RangeError(`--panel-version ${text}: 2 or 3 is wanted`)
}
function minorOf(amount: string): number {
  if (!/^\d{1,10}(?:\.\d\d?)?$/.test(amount)) throw new RangeError(`--amount ${amount}: 299 or 299.00 is wanted`)
  return Math.round(Number(amount) * minorPerUnit)
}
function bodyOf(path: string): Buffer {
  try {
    return readFileSync(path === '-' ? 0 : path)
  } catch (error) {
    throw new RangeError(`--body ${path}: ${(error as Error).message}`, { cause: error })
  }
}
function addressOf(url: string, allowRemote: boolean): string {
  const parsed = URL.parse(url)
  if (!parsed || !/^https?:$/.test(parsed.protocol)) throw new RangeError(`--url ${url}: an address of http is wanted`)
  mayDial(parsed.hostname.replace(/^\[|\]$/g, ''), allowRemote)
  return url
}

const tellLine = (words: object) => process.stdout.write(`${JSON.stringify(words)}\n`)

/** Notices to one address: one after the other, or all at once where their order is to be lost. */
async function tellAll(
  notices: Postman,
  events: string[],
  isOrderly: boolean,
  body: (event: string) => string | Buffer,
) {
  notices.watch((told) => tellLine({ ...told, answer: told.answer.slice(0, 200) }))
  const underway = []
  for (const event of events) {
    const sent = notices.tell(event, body(event))
    underway.push(sent)
    if (isOrderly) await sent
  }
  if ((await Promise.all(underway)).some(({ isTaken }) => !isTaken)) process.exitCode = 1
}

const args = {
  name: { type: 'positional', required: true, description: 'Which provider' },
  url: { type: 'string', description: 'Where its notices are heard' },
  secret: { type: 'string', default: '', description: 'What proves its notices' },
  event: { type: 'string', description: 'What is told; may repeat; all: every kind once' },
  id: { type: 'string', description: "The provider's own id of the payment; made up unless told" },
  order: { type: 'string', default: '1', description: 'Our id of it: order, payload, payment_db_id' },
  amount: { type: 'string', default: '299.00', description: 'Of stars: their number' },
  currency: { type: 'string', default: 'RUB', description: 'Its currency' },
  'telegram-id': { type: 'string', default: '123456', description: 'Whose payment it is' },
  body: { type: 'string', description: 'Sign and send the bytes of this file instead (-: standard input)' },
  from: { type: 'string', description: 'Address to name in X-Forwarded-For, for a server that trusts this machine' },
  fault: { type: 'string', description: 'How it misbehaves; may repeat' },
  'late-by': { type: 'string', default: '2s', description: 'By how much "late" is late' },
  retry: { type: 'string', default: '1s,2s,5s', description: 'Pauses until a notice that was not taken is told again' },
  serve: { type: 'string', description: 'Play its API on this port; 0: any free one' },
  credential: { type: 'string', default: '', description: 'What callers of that API prove themselves with' },
  'pay-after': { type: 'string', description: 'Everything is paid by itself after so long' },
  'merchant-id': { type: 'string', default: unspecific.merchantId, description: 'FreeKassa: the shop' },
  'first-secret': { type: 'string', default: '', description: 'FreeKassa: secret word 1, which signs links' },
  scheme: { type: 'string', default: 'md5', description: 'FreeKassa: md5, or hmac-seed' },
  'panel-version': { type: 'string', default: '3', description: 'Remnawave: 2 or 3' },
  'needs-receipts': { type: 'boolean', default: false, description: 'YooKassa: refuse payments without one' },
  'allow-remote': { type: 'boolean', default: false, description: 'Tell other machines than this one' },
} as const

interface Given {
  name: ProviderName
  particulars: Particulars
  delivery: Delivery | null
  faults: Map<ReturnType<typeof faultOf>[0], number>
}

/** Plays the API until it is told to stop. */
async function play(
  { name, particulars, delivery, faults }: Given,
  port: number,
  credential: string,
  payMs: number | null,
) {
  const simulator = await simulate(name, { ...particulars, port, credential, payMs, faults }, delivery)
  tellLine({ event: 'listening', url: simulator.url })
  // Paths of Telegram hold the token.
  simulator.watch(({ method, path }) =>
    tellLine({ event: 'asked', method, path: path.replace(/\/bot[^/]+/, '/bot***') }),
  )
  simulator.notices?.watch((told) =>
    tellLine({ ...told, event: 'told', of: told.event, answer: told.answer.slice(0, 200) }),
  )
  await stopped()
  await simulator.close()
}

/** `npm run sim -- provider`: a payment provider that tells, and one that is asked. */
export const providerTool = tool({
  meta: { name: 'provider', description: 'A payment provider: signed notices, or its API with memory' },
  args,
  async run(given, all) {
    const { name } = given
    if (!isProvider(name)) throw new RangeError(`"${name}": one of ${providerNames.join(', ')} is wanted`)
    const telegramId = wholeOf('telegram-id', given['telegram-id'], 1, Number.MAX_SAFE_INTEGER)
    const particulars: Particulars = {
      merchantId: given['merchant-id'],
      firstSecret: given['first-secret'],
      scheme: scheme(given.scheme),
      telegramId,
      panelVersion: version(given['panel-version']),
      needsReceipts: given['needs-receipts'],
    }
    const delivery: Delivery | null = given.url
      ? {
          url: addressOf(given.url, given['allow-remote']),
          secret: given.secret,
          from: given.from,
          retryMs: given.retry === '' ? [] : given.retry.split(',').map(durationOf),
          lateMs: durationOf(given['late-by']),
          allowRemote: given['allow-remote'],
        }
      : null
    const faults = new Map(all('fault').map(faultOf))
    if (given.serve !== undefined) {
      const payMs = given['pay-after'] === undefined ? null : durationOf(given['pay-after'])
      const port = wholeOf('serve', given.serve, 0, 65_535)
      return play({ name, particulars, delivery, faults }, port, given.credential, payMs)
    }
    const teller = tellerOf(name, particulars)
    const events = all('event').flatMap((event) => (event === 'all' ? teller.events : event))
    const unknown = events.find((event) => !teller.events.includes(event))
    if (unknown !== undefined) throw new RangeError(`--event ${unknown}: one of ${teller.events.join(', ')} is wanted`)
    if (!delivery || events.length === 0) throw new RangeError('--url and --event, or --serve, are wanted')
    const about: About = {
      id: given.id ?? freshNumber(),
      order: given.order,
      amountMinor: name === 'stars' ? wholeOf('amount', given.amount, 1, 1_000_000) : minorOf(given.amount),
      currency: given.currency,
      telegramId,
      at: new Date(),
    }
    const bytes = given.body === undefined ? null : bodyOf(given.body)
    const isOrderly = !faults.has('out-of-order')
    await tellAll(postman(teller, delivery, faults), events, isOrderly, (event) => bytes ?? teller.body(event, about))
  },
})

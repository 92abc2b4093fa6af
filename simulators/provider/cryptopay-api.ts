import { type Asked, type Said, wordsOf } from './api-server.ts'
import { type ApiSettings, hereOf, type ProviderApi, payers, payPage, text } from './provider-api.ts'

interface Invoice extends Record<string, unknown> {
  invoice_id: number
  status: 'active' | 'paid' | 'expired'
  created_at: string
}

interface App {
  invoices: Map<number, Invoice>
  updates: number
  settings: ApiSettings
  expect(id: string): void
}

const firstId = 528_890
const pageMax = 1_000
const amountPattern = /^\d{1,20}(?:\.\d{1,18})?$/
const payloadBytesMax = 4_096
const millisecondsPerSecond = 1_000
const statusOfName: Record<string, number> = { UNAUTHORIZED: 401, METHOD_NOT_FOUND: 405 }

const done = (result: unknown): Said => ({ status: 200, body: { ok: true, result } })
const wrong = (name: string): Said => {
  const code = statusOfName[name] ?? 400
  return { status: code, body: { ok: false, error: { code, name } } }
}

/** An invoice that nobody paid in time is expired, which nobody is told. */
function current(invoice: Invoice): Invoice {
  const until = text(invoice.expiration_date)
  if (invoice.status === 'active' && until && Date.parse(until) <= Date.now()) invoice.status = 'expired'
  return invoice
}

function create(app: App, asked: Asked): Said {
  const words = wordsOf(asked)
  const { amount, currency_type: type, fiat, asset, payload, expires_in: seconds } = words
  if (typeof amount !== 'string' || !amountPattern.test(amount) || Number(amount) === 0) return wrong('AMOUNT_INVALID')
  if (type === 'fiat' ? !text(fiat) : !text(asset)) return wrong('ASSET_INVALID')
  if (Buffer.byteLength(text(payload)) > payloadBytesMax) return wrong('PAYLOAD_TOO_LONG')
  const id = firstId + app.invoices.size
  const url = `${hereOf(asked)}/pay/${id}`
  const now = new Date()
  const until = Number(seconds) > 0 && new Date(now.getTime() + Number(seconds) * millisecondsPerSecond).toISOString()
  const { expires_in: _, ...shown } = words
  const invoice: Invoice = {
    ...shown,
    invoice_id: id,
    hash: `IV${id}`,
    // As they do: no zeros at the end.
    amount: amount.includes('.') ? amount.replace(/\.?0+$/, '') : amount,
    status: 'active',
    bot_invoice_url: url,
    created_at: now.toISOString(),
    ...(until && { expiration_date: until }),
  }
  app.invoices.set(id, invoice)
  app.expect(String(id))
  return done(invoice)
}

function list(app: App, asked: Asked): Said {
  const { invoice_ids: ids, status, offset = 0, count = 100 } = wordsOf(asked)
  if (Number(count) > pageMax) return wrong('COUNT_INVALID')
  const wanted = text(ids) && new Set(text(ids).split(',').map(Number))
  const items = [...app.invoices.values()]
    .reverse()
    .map(current)
    .filter((invoice) => (!wanted || wanted.has(invoice.invoice_id)) && (!status || invoice.status === status))
  return done({ items: items.slice(Number(offset), Number(offset) + Number(count)) })
}

async function pay(app: App, id: string, act: 'pay' | 'cancel' = 'pay') {
  const invoice = app.invoices.get(Number(id))
  if (!invoice || current(invoice).status !== 'active' || act === 'cancel') return
  Object.assign(invoice, {
    status: 'paid',
    paid_at: new Date().toISOString(),
    paid_asset: 'USDT',
    paid_amount: '3.74',
    paid_anonymously: true,
  })
  const update = { update_id: ++app.updates, update_type: 'invoice_paid', request_date: new Date().toISOString() }
  return app.settings.tell('invoice_paid', JSON.stringify({ ...update, payload: invoice }))
}

function answer(app: App, asked: Asked): Said {
  if (asked.headers['crypto-pay-api-token'] !== app.settings.credential) return wrong('UNAUTHORIZED')
  switch (asked.path.slice(1)) {
    case 'createInvoice':
      return create(app, asked)
    case 'getInvoices':
      return list(app, asked)
    case 'deleteInvoice':
      return app.invoices.delete(Number(wordsOf(asked).invoice_id)) ? done(true) : wrong('INVOICE_NOT_FOUND')
    case 'getMe':
      return done({ app_id: 1, name: 'Simulated', payment_processing_bot_username: 'CryptoTestnetBot' })
    default:
      return wrong('METHOD_NOT_FOUND')
  }
}

/** An app at @CryptoBot; its credential is the token. */
export function cryptopayApi(settings: ApiSettings): ProviderApi {
  const crowd = payers(settings.payMs, (id) => void pay(app, id))
  const app: App = { invoices: new Map(), updates: 0, settings, expect: crowd.expect }
  return {
    pay: (id, act) => pay(app, id, act),
    close: crowd.close,
    isApi: (path) => !path.startsWith('/pay/'),
    async answer(asked) {
      const back = (id: string) => {
        const invoice = app.invoices.get(Number(id))
        return invoice && (text(invoice.paid_btn_url) || null)
      }
      return (await payPage(asked, (id, act) => pay(app, id, act), back)) ?? answer(app, asked)
    },
  }
}

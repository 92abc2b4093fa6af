import { createHash, createHmac } from 'node:crypto'
import { Agent, request } from 'node:http'
import { serve } from './child.ts'

/** Whom the notices are said by. */
export type Teller = 'yookassa' | 'cryptopay'

let agent: Agent | undefined
let made = 0

/** A notice of a payment that nobody was told of before, and its proof; YooKassa's is where it comes from. */
function notice(teller: Teller, cryptopayToken: string) {
  const id = String(++made)
  if (teller === 'yookassa') {
    const amount = { value: '199.00', currency: 'RUB' }
    const object = { id: `bench-${id}`, status: 'succeeded', paid: true, amount, metadata: {}, test: false }
    return { body: JSON.stringify({ type: 'notification', event: 'payment.succeeded', object }), proof: {} }
  }
  const payload = {
    invoice_id: made,
    status: 'paid',
    currency_type: 'fiat',
    fiat: 'RUB',
    amount: '199.00',
    payload: id,
  }
  const about = { update_id: made, update_type: 'invoice_paid', request_date: '2026-04-01T10:00:05.123Z' }
  const body = JSON.stringify({ ...about, payload })
  const key = createHash('sha256').update(cryptopayToken).digest()
  return { body, proof: { 'crypto-pay-api-signature': createHmac('sha256', key).update(body).digest('hex') } }
}

interface Target {
  port: number
  cryptopayToken: string
}

function tell({ port, cryptopayToken }: Target, teller: Teller): Promise<void> {
  const { body, proof } = notice(teller, cryptopayToken)
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...proof }
  const path = `/webhook/${teller}`
  return new Promise((resolve, reject) => {
    const told = request({ agent, host: '127.0.0.1', port, method: 'POST', path, headers }, (answer) => {
      answer.resume()
      answer.once('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`${path}: HTTP ${answer.statusCode}`)),
      )
    })
    told.once('error', reject)
    told.end(body)
  })
}

const skills = {
  /** So many connections, each with one notice under way, for so long. */
  async run({ clients, ms, teller, ...target }: Target & { clients: number; ms: number; teller: Teller }) {
    agent ??= new Agent({ keepAlive: true, maxSockets: clients })
    const from = performance.now()
    let done = 0
    const client = async () => {
      for (; performance.now() - from < ms; done++) await tell(target, teller)
    }
    await Promise.all(Array.from({ length: clients }, client))
    return { perSecond: (done * 1_000) / (performance.now() - from), done }
  },
}

/** For `start`. */
export type WebhooksChild = typeof skills

serve(skills)

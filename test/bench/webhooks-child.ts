import { createHash, createHmac } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import { serve } from './child.ts'

/** Whom the notices are said by. */
export type Teller = 'yookassa' | 'cryptopay'

const nanosecondsPerMillisecond = 1e6
const ok = Buffer.from('HTTP/1.1 200 ')
const lines = new Map<number, Socket[]>()
let made = 0

/** A notice of a payment that nobody was told of before, and its proof; YooKassa's is where it comes from. */
function notice(teller: Teller, cryptopayToken: string) {
  const id = String(++made)
  if (teller === 'yookassa') {
    const amount = { value: '199.00', currency: 'RUB' }
    const object = { id: `bench-${id}`, status: 'succeeded', paid: true, amount, metadata: {}, test: false }
    return { body: JSON.stringify({ type: 'notification', event: 'payment.succeeded', object }), proof: '' }
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
  return { body, proof: `crypto-pay-api-signature: ${createHmac('sha256', key).update(body).digest('hex')}\r\n` }
}

/** A request as it goes over the line: with node's own client the asking would cost as much as the answer. */
function request(teller: Teller, cryptopayToken: string): Buffer {
  const { body, proof } = notice(teller, cryptopayToken)
  const about = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${proof}`
  return Buffer.from(`POST /webhook/${teller} HTTP/1.1\r\nhost: 127.0.0.1\r\n${about}\r\n${body}`)
}

/** An answer came in one piece: it is a few hundred bytes. @throws Error it is none, or no 200 */
function assertAccepted(chunk: Buffer): void {
  const head = chunk.indexOf('\r\n\r\n')
  const length = Number(/^content-length: (\d+)\r$/im.exec(chunk.toString('latin1', 0, head + 2))?.[1])
  if (!chunk.subarray(0, ok.length).equals(ok) || chunk.length !== head + 4 + length)
    throw new Error(`answered with ${chunk.toString('latin1')}`)
}

/** So many connections to a port; those of the last time, where nobody closed them. */
async function dialled(port: number, count: number): Promise<Socket[]> {
  const open = (lines.get(port) ?? []).filter(({ destroyed }) => !destroyed)
  lines.set(port, open)
  while (open.length < count) {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    open.push(socket)
  }
  return open.slice(0, count)
}

interface Run {
  port: number
  cryptopayToken: string
  /** Who says the nth, in turn. */
  tellers: readonly Teller[]
  clients: number
  /** Of each client. */
  each: number
}

const skills = {
  /** So many connections, each with one notice under way, until all are answered. Milliseconds. */
  async run({ port, clients, each, tellers, cryptopayToken }: Run) {
    const sockets = await dialled(port, clients)
    const said = sockets.map((_, at) =>
      Array.from({ length: each }, () => request(tellers[at % tellers.length]!, cryptopayToken)),
    )
    const latency = createHistogram()
    const from = performance.now()
    const tell = (socket: Socket, requests: readonly Buffer[]) =>
      new Promise<void>((resolve, reject) => {
        let [next, begun] = [0, performance.now()]
        const finished = (error?: unknown) => {
          socket.off('data', heard).off('close', finished)
          return next === requests.length && !error ? resolve() : reject(error ?? new Error('the line was closed'))
        }
        const heard = (chunk: Buffer) => {
          try {
            assertAccepted(chunk)
          } catch (error) {
            return finished(error)
          }
          const now = performance.now()
          latency.record(Math.max(1, Math.round((now - begun) * nanosecondsPerMillisecond)))
          begun = now
          if (++next === requests.length) return finished()
          return void socket.write(requests[next]!)
        }
        socket.on('data', heard).on('close', finished)
        socket.write(requests[0]!)
      })
    await Promise.all(sockets.map((socket, at) => tell(socket, said[at]!)))
    const ms = performance.now() - from
    const at = (percent: number) => latency.percentile(percent) / nanosecondsPerMillisecond
    return { perSecond: (clients * each * 1_000) / ms, done: clients * each, p50: at(50), p99: at(99) }
  },
}

/** For `start`. */
export type WebhooksChild = typeof skills

serve(skills)

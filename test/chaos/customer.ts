import { setTimeout as pause } from 'node:timers/promises'
import { ANSWER_SECONDS_MAX } from './limits.ts'

/** Somebody with an account. */
export interface Person {
  id: number
  token: string
}

/** A wish for a power bank, asked again under the same key until the answer says how it ended. */
export interface Ask {
  key: string
  person: Person
  path: string
  /** The final answer; null while there is none. */
  answer: { status: number; orderId: number | null; serial: string | null } | null
  /** Unix milliseconds. */
  answeredAt: number | null
  attempts: number
  /** So long any refusal that opened no order is not the last word: the bank may just not be back yet. */
  patienceSeconds: number
}

const againMs = 100
/** No order was opened, and another time one may be. */
const comeAgain = 'Станция не подключена'

/** Asks for a bank until there is a final answer, or `seconds` are over. */
export async function borrow(url: string, ask: Ask, body: object, seconds: number): Promise<void> {
  const deadline = performance.now() + seconds * 1000
  const patience = performance.now() + ask.patienceSeconds * 1000
  while (ask.answer === null && performance.now() < deadline) {
    ask.attempts += 1
    const said = await context(url, ask, body)
    const isRefused = said?.status === 400 && said.orderId === null
    if (said && !(isRefused && performance.now() < patience))
      Object.assign(ask, { answer: said, answeredAt: Date.now() })
    else await pause(againMs)
  }
}

/** One request. Null: nobody knows yet. */
async function context(url: string, { path, key, person }: Ask, body: object): Promise<Ask['answer']> {
  try {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${person.token}`, 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ user_id: person.id, ...body }),
      signal: AbortSignal.timeout(ANSWER_SECONDS_MAX * 1000),
    })
    const { status } = response
    const said = (await response.json()) as { order_id?: number; serial_number?: string; error?: string }
    if (status >= 500 || status === 408) return null
    if (status !== 200 && said.order_id === undefined && said.error === comeAgain) return null
    return { status, orderId: said.order_id ?? null, serial: said.serial_number ?? null }
  } catch {
    // The house is away, or was killed while it answered: the same key finds the same order.
    return null
  }
}

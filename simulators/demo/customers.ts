import { setTimeout as after } from 'node:timers/promises'
import { between, type Range } from '../cabinet/latency.ts'

/** Between one wish of a customer and the next. */
const pauseSeconds: Range = [8, 25]
/** A borrow waits for the cabinet; the API gives up before this. */
const requestMilliseconds = 30_000

/** People with an app: they log in and borrow through the HTTP door, like any client of docs/contracts.md 4. */
export interface CustomersSettings {
  /** Of the API, without a path. */
  url: string
  /** Phones of their accounts. */
  customers: readonly string[]
  password: string
  /** Where they may borrow. */
  stationIds: readonly number[]
}

interface Login {
  token: string
  userId: number
}

async function post(url: string, body: object, signal: AbortSignal, token?: string): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
    signal: AbortSignal.any([signal, AbortSignal.timeout(requestMilliseconds)]),
  })
}

async function login({ url, password }: CustomersSettings, phone: string, signal: AbortSignal): Promise<Login | null> {
  const answer = await post(`${url}/api/auth/login`, { phone_e164: phone, password }, signal)
  if (!answer.ok) return null
  const { token, user } = (await answer.json()) as { token: string; user: { user_id: number } }
  return { token, userId: user.user_id }
}

/** One customer's evening: borrows the best bank of some cabinet now and then. A refusal is part of life. */
async function live(settings: CustomersSettings, phone: string, signal: AbortSignal): Promise<void> {
  const { url, stationIds } = settings
  let known: Login | null = null
  for (;;) {
    await after(between(pauseSeconds) * 1000, undefined, { signal })
    try {
      known ??= await login(settings, phone, signal)
      const stationId = stationIds[Math.floor(Math.random() * stationIds.length)]
      if (!known || stationId === undefined) continue
      const path = `${url}/api/borrow/stations/${stationId}/request-optimal`
      const { status } = await post(path, { user_id: known.userId }, signal, known.token)
      if (status === 401) known = null
    } catch (error) {
      if (signal.aborted) throw error
      // The house is away for a moment: customers try again later.
    }
  }
}

/** Lets customers live until they are closed. */
export function customers(settings: CustomersSettings): { close(): void } {
  const end = new AbortController()
  for (const phone of settings.customers)
    live(settings, phone, end.signal).catch((error: unknown) => {
      if (!end.signal.aborted) throw error
    })
  return { close: () => end.abort() }
}

import { randomUUID } from 'node:crypto'
import { setTimeout as after } from 'node:timers/promises'
import { between, type Range } from '../cabinet/latency.ts'

/** Between one wish of a subscriber and the next. */
const pauseSecondsStandard: Range = [15, 45]
const requestMilliseconds = 30_000
/** Every so many payments one is given up on its page; of so many, one has it renew by itself, and the next no more. */
const givenUpEvery = 4
const renewedEvery = 3

/** People who buy access from a shop at Telegram: through the HTTP door and on their provider's pages, like anybody. */
export interface SubscribersSettings {
  /** Of the API, without a path. */
  url: string
  subscribers: readonly { email: string; provider: string }[]
  password: string
  pauseSeconds?: Range
}

type Subscriber = SubscribersSettings['subscribers'][number]
type Answer = { status: number; data: any }

/** Asks the shop as somebody who is logged in, or not yet. */
async function ask(
  url: string,
  signal: AbortSignal,
  { token, body }: { token?: string; body?: object },
): Promise<Answer> {
  const answer = await fetch(url, {
    method: body ? 'POST' : 'GET',
    headers: {
      ...(body && { 'content-type': 'application/json', 'idempotency-key': randomUUID() }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(requestMilliseconds)]),
  })
  const said = (await answer.json().catch(() => null)) as { data?: unknown } | null
  return { status: answer.status, data: said?.data }
}

const oneOf = <T>(some: readonly T[]): T | undefined => some[Math.floor(Math.random() * some.length)]

/** The page is opened: that pays, or it is left without paying. */
const visit = (page: string, isPaid: boolean, signal: AbortSignal) =>
  fetch(`${page}${isPaid ? '' : '?act=cancel'}`, {
    redirect: 'manual',
    signal: AbortSignal.any([signal, AbortSignal.timeout(requestMilliseconds)]),
  })

/** Somebody who is logged in. */
interface Login {
  token: string
  base: string
  signal: AbortSignal
}

/** Buys time, the first or more of it. @returns whose it is; null: the shop did not sell */
async function buy({ token, base, signal }: Login, provider: string, isPaid: boolean): Promise<number | null> {
  const plans = await ask(`${base}/plans`, signal, { token })
  const plan = oneOf<{ id: number }>(plans.data?.items ?? [])
  if (!plan) return null
  // Cards are kept for what is renewed.
  const saving = provider === 'yookassa' && { saves_method: true }
  const body = { purpose: 'subscription', plan_id: plan.id, provider, ...saving }
  const { data } = await ask(`${base}/payments`, signal, { token, body })
  if (typeof data?.confirmation_url !== 'string') return null
  await visit(data.confirmation_url, isPaid, signal)
  return data.user_id
}

/** Has it renew by itself, or no more; where nothing is kept to pay with, that is refused. */
async function renew({ token, base, signal }: Login, userId: number, autoRenews: boolean): Promise<void> {
  const { data } = await ask(`${base}/users/${userId}/subscriptions`, signal, { token })
  const [subscription] = data?.items ?? []
  if (!subscription) return
  await ask(`${base}/subscriptions/${subscription.id}/auto-renew`, signal, { token, body: { auto_renews: autoRenews } })
}

/** One subscriber's year, in minutes. */
async function live(
  { url, password, pauseSeconds = pauseSecondsStandard }: SubscribersSettings,
  one: Subscriber,
  signal: AbortSignal,
) {
  const base = `${url}/api/getpro`
  for (let nth = 1; ; nth++) {
    await after(between(pauseSeconds) * 1000, undefined, { signal })
    try {
      const body = { login: one.email, password }
      const { data } = await ask(`${base}/auth/login`, signal, { body })
      if (!data?.access_token) continue
      const login = { token: data.access_token, base, signal }
      const userId = await buy(login, one.provider, nth % givenUpEvery !== 0)
      const wish = nth % renewedEvery
      if (userId !== null && wish > 0) await renew(login, userId, wish === 1)
    } catch (error) {
      if (signal.aborted) throw error
      // The house or the provider is away for a moment: people try again later.
    }
  }
}

/** Lets subscribers live until they are closed. */
export function subscribers(settings: SubscribersSettings): { close(): void } {
  const end = new AbortController()
  for (const one of settings.subscribers)
    live(settings, one, end.signal).catch((error: unknown) => {
      if (!end.signal.aborted) throw error
    })
  return { close: () => end.abort() }
}

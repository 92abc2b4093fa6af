import { setTimeout as wait } from 'node:timers/promises'
import { mayDial } from '../dial.ts'
import { type Faults, nextNoticeFault } from './fault.ts'
import type { Notice, Teller } from './notice.ts'

/** Where notices go, and how. */
export interface Delivery {
  /** Where they are heard. */
  url: string
  secret: string
  /** Beside the notice's own: an address in `X-Forwarded-For`, for whoever believes this machine's proxies. */
  from?: string | undefined
  /** Pauses before a notice that was not taken is told again; then it is lost. Real ones are in docs/providers.md. */
  retryMs: readonly number[]
  /** By how much `late` is late. */
  lateMs: number
  allowRemote: boolean
}

/** What became of one attempt. */
export interface Told {
  event: string
  attempt: number
  /** Null: no answer. */
  status: number | null
  answer: string
  isTaken: boolean
}

export interface Postman {
  /** Called with every attempt. */
  watch(listener: (told: Told) => void): void
  /** Tells it, again and again until it is taken or lost; whatever was answered last. */
  tell(event: string, body: string | Buffer): Promise<Told>
  /** The last attempts. */
  told: Told[]
  /** Resolves when nothing is on its way. */
  idle(): Promise<void>
  close(): void
}

const answerTimeoutMs = 15_000
const answerCharactersMax = 65_536
const toldMax = 1_000

/** One attempt. @throws RangeError see `mayDial` */
export async function post(
  { url, from, allowRemote }: Pick<Delivery, 'url' | 'from' | 'allowRemote'>,
  { headers, body }: Notice,
  signal?: AbortSignal,
): Promise<{ status: number | null; answer: string }> {
  mayDial(new URL(url).hostname.replace(/^\[|\]$/g, ''), allowRemote)
  const deadline = AbortSignal.timeout(answerTimeoutMs)
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, ...(from && { 'x-forwarded-for': from }) },
      body: new Uint8Array(body),
      redirect: 'manual',
      signal: signal ? AbortSignal.any([deadline, signal]) : deadline,
    })
    return { status: response.status, answer: (await response.text()).slice(0, answerCharactersMax) }
  } catch {
    return { status: null, answer: '' }
  }
}

/** One round of notices. */
interface Round {
  teller: Teller
  delivery: Delivery
  faults: Faults
  /** Aborted when nothing more is to be told. */
  end: AbortController
  /** Of whichever notice is kept back until another has gone. */
  release: (() => void) | undefined
  heard(told: Told): void
}

async function attempt(round: Round, event: string, notice: Notice, number: number): Promise<Told> {
  const { status, answer } = await post(round.delivery, notice, round.end.signal)
  const isTaken = status !== null && round.teller.isTaken(status, answer)
  const told = { event, attempt: number, status, answer, isTaken }
  round.heard(told)
  return told
}

async function deliver(round: Round, event: string, notice: Notice): Promise<Told> {
  let told = await attempt(round, event, notice, 1)
  for (const [at, pause] of round.delivery.retryMs.entries()) {
    if (told.isTaken) break
    await wait(pause, undefined, { signal: round.end.signal })
    told = await attempt(round, event, notice, at + 2)
  }
  return told
}

async function send(round: Round, event: string, body: string | Buffer): Promise<Told> {
  const { delivery, end } = round
  const notice = round.teller.sign(Buffer.from(body), delivery.secret)
  const fault = nextNoticeFault(round.faults)
  if (fault === 'late') await wait(delivery.lateMs, undefined, { signal: end.signal })
  if (fault === 'out-of-order' && !round.release) {
    // Until another has gone, or none came.
    const { promise, resolve } = Promise.withResolvers<void>()
    round.release = resolve
    await Promise.race([promise, wait(delivery.lateMs, undefined, { signal: end.signal })])
    if (round.release === resolve) round.release = undefined
    return deliver(round, event, notice)
  }
  const copies = fault === 'duplicate' ? 2 : 1
  const [told] = await Promise.all(Array.from({ length: copies }, () => deliver(round, event, notice)))
  round.release?.()
  return told!
}

/** Takes a provider's notices to their receiver, with its manners and its faults. */
export function postman(teller: Teller, delivery: Delivery, faults: Faults): Postman {
  const underway = new Set<Promise<unknown>>()
  const told: Told[] = []
  let listener: (told: Told) => void = () => {}
  const heard = (one: Told) => {
    told.push(one)
    if (told.length > toldMax) told.shift()
    listener(one)
  }
  const round: Round = { teller, delivery, faults, end: new AbortController(), release: undefined, heard }
  return {
    told,
    watch(one) {
      listener = one
    },
    tell(event, body) {
      const sent = send(round, event, body).catch((error): Told => {
        if (!round.end.signal.aborted) throw error
        return { event, attempt: 0, status: null, answer: '', isTaken: false }
      })
      const settled: Promise<unknown> = sent.then(
        () => underway.delete(settled),
        () => underway.delete(settled),
      )
      underway.add(settled)
      return sent
    },
    async idle() {
      while (underway.size > 0) await Promise.all(underway)
    },
    close: () => round.end.abort(),
  }
}

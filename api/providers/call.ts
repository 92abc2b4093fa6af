import { readBytes } from '../limit.ts'

/**
 * What became of something that a provider was asked. `refused` is final: the same words are refused again. `doubtful`: it may
 * have happened, or may yet; look before anything is done. `later`: not done; the same words, with the same key, in so many seconds.
 */
export type Reply<T> =
  | { kind: 'done'; value: T }
  | { kind: 'refused'; status: number; code: string; why: string }
  | { kind: 'doubtful'; why: string }
  | { kind: 'later'; seconds: number; why: string }

/** Where a provider is, how long a call to it may take, and how many of them may be open. */
export interface Access {
  /** Without a slash at its end. */
  url: string
  timeoutSeconds: number
  callsMax: number
}

/** An answer in JSON: 2xx, 4xx. */
export interface Answer {
  status: number
  body: unknown
}

/** Something to ask. */
export interface Question<T> {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Behind the provider's address. */
  path: string
  headers?: Record<string, string>
  /** JSON as it goes out. */
  body?: string
  /** What an answer means; null: nothing that could be told. */
  read(answer: Answer): Reply<T> | null
}

/** Asks one provider. It never rejects, and what it tells holds no secret. */
export type Call = <T>(question: Question<T>) => Promise<Reply<T>>

const answerBytesMax = 4_194_304
const waitingMax = 1_000
/** Of the time for a call, to wait for its turn. */
const waitingShare = 0.5
const whyCharactersMax = 200
const secondsMax = 86_400
const pauseSeconds = 5
const millisecondsPerSecond = 1_000

/** Before a connection there were no bytes: nothing can have happened. */
const unsent =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT|\w*CERT\w*|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/

export const done = <T>(value: T): Reply<T> => ({ kind: 'done', value })
export const doubtful = (why: string): Reply<never> => ({ kind: 'doubtful', why })
/** @param seconds kept from 0 to a day */
export const later = (why: string, seconds: number = pauseSeconds): Reply<never> => ({
  kind: 'later',
  seconds: Math.min(Math.max(Number.isFinite(seconds) ? seconds : pauseSeconds, 0), secondsMax),
  why,
})
export const refusal = (status: number, code: string, why: string): Reply<never> => ({
  kind: 'refused',
  status,
  code,
  why,
})

/** The words of an answer for whoever has something else to do with what was done. */
export const map = <T, U>(reply: Reply<T>, change: (value: T) => Reply<U>): Reply<U> =>
  reply.kind === 'done' ? change(reply.value) : reply

/** Seconds of `Retry-After`: a number, or a date. */
function pauseOf(headers: Headers): number {
  const text = headers.get('retry-after')?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const until = text.endsWith('GMT') ? Date.parse(text) : Number.NaN
  return Number.isNaN(until) ? pauseSeconds : Math.ceil((until - Date.now()) / millisecondsPerSecond)
}

/** Lets so many in at once; the others wait in their order, until they have waited long enough. */
function turnstile(most: number) {
  let inside = 0
  const waiting = new Set<() => void>()
  return {
    async enter(patience: AbortSignal): Promise<boolean> {
      if (inside < most) {
        inside++
        return true
      }
      if (waiting.size >= waitingMax) return false
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const go = () => resolve(true)
      waiting.add(go)
      // Who gives up leaves the queue at once, or its turn would be nobody's.
      const giveUp = () => waiting.delete(go) && resolve(false)
      patience.addEventListener('abort', giveUp, { once: true })
      const isIn = await promise
      patience.removeEventListener('abort', giveUp)
      return isIn
    },
    leave() {
      const [next] = waiting
      if (next === undefined) inside--
      else if (waiting.delete(next)) next()
    },
  }
}

const codesOf = (error: unknown): string[] => {
  if (error instanceof AggregateError) return error.errors.flatMap(codesOf)
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? [error.code] : []
}

/** What it means that there is no answer. Only codes are told: messages of others may hold the address, and that a token. */
function silence(error: unknown, deadline: AbortSignal): Reply<never> {
  if (deadline.aborted) return doubtful('no answer in time')
  const codes = codesOf(error instanceof Error ? (error.cause ?? error) : error)
  if (codes.length > 0 && codes.every((code) => unsent.test(code))) return later(`not reached: ${codes[0]}`)
  return doubtful(`no answer: ${codes[0] ?? 'the connection broke'}`)
}

function jsonOf(bytes: Buffer): { value: unknown } | null {
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) }
  } catch {
    return null
  }
}

/** What a response says by itself, or an answer to be read. */
async function hear(response: Response): Promise<{ reply: Reply<never> } | { answer: Answer }> {
  const { status, headers } = response
  const bytes = await readBytes(response, answerBytesMax)
  if (bytes === null) {
    await response.body?.cancel()
    return { reply: doubtful(`answered ${status} at too great length`) }
  }
  const json = jsonOf(bytes)
  // Some say in the body how long to wait.
  if (status === 429 && (!json || headers.has('retry-after')))
    return { reply: later('too many requests', pauseOf(headers)) }
  if (status >= 500 || status === 408 || (status >= 300 && status < 400))
    return { reply: doubtful(`answered ${status}`) }
  return json ? { answer: { status, body: json.value } } : { reply: doubtful(`answered ${status} without JSON`) }
}

const understood = <T>({ read }: Question<T>, answer: Answer): Reply<T> => {
  const reply = read(answer)
  if (answer.status === 429 && reply?.kind !== 'later') return later('too many requests')
  return reply ?? doubtful(`answered ${answer.status} with something else`)
}

/** What is told of somebody's words: one line, none of our secrets in it. */
function tidy(text: string, secrets: readonly string[]): string {
  const plain = secrets.reduce((words, secret) => words.replaceAll(secret, '***'), text)
  return plain
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]+/gu, ' ')
    .trim()
    .slice(0, whyCharactersMax)
}

/**
 * The way to one provider. It has a limit of open calls of its own, so that one who hangs delays no other.
 * @param secrets what must not be told, whatever the provider says
 */
export function caller(access: Access, headers: Record<string, string>, secrets: readonly string[]): Call {
  const door = turnstile(access.callsMax)
  const say = ({ method, path, body, ...question }: Question<unknown>, signal: AbortSignal) =>
    fetch(`${access.url}${path}`, {
      method,
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
        ...question.headers,
      },
      body: body ?? null,
      redirect: 'manual',
      signal,
    })
  const ask = async (question: Question<unknown>) => {
    const timeoutMs = access.timeoutSeconds * millisecondsPerSecond
    const deadline = AbortSignal.timeout(timeoutMs)
    // Whoever gets in late would only begin what cannot end.
    if (!(await door.enter(AbortSignal.timeout(timeoutMs * waitingShare))))
      return { reply: later('too many calls are open') }
    try {
      return await hear(await say(question, deadline))
    } catch (error) {
      return { reply: silence(error, deadline) }
    } finally {
      door.leave()
    }
  }
  return async (question) => {
    const heard = await ask(question)
    const reply = 'reply' in heard ? heard.reply : understood(question, heard.answer)
    if (reply.kind === 'done') return reply
    const why = tidy(reply.why, secrets)
    return reply.kind === 'refused' ? { ...reply, code: tidy(reply.code, secrets), why } : { ...reply, why }
  }
}

import pino from 'pino'

/** One thing that happened: `noun.past` and what it is about. `about.error`, if there, is an `Error`. */
export type Log = (event: string, about?: Record<string, unknown>) => void

export interface LogOptions {
  /** `error` writes only what carries an `error`; `silent` nothing. */
  level?: 'info' | 'error' | 'silent'
  /** A file descriptor or path; stderr unless said, because stdout carries `voltbay.ready`. */
  destination?: number | string
}

const stderr = 2
/** Deeper is left out: nobody reads it, and a cycle would not end. */
const depthMax = 6
const secretName = /(?:token|key|secret|password|authorization|phone)$|^pan$/i

/**
 * One JSON line per event, `{level, time, event, ...about}`, written before it returns; the level is `error` when
 * `about.error` is there. Values under secret names are masked.
 */
export function jsonLog({ level = 'info', destination = stderr }: LogOptions = {}): Log {
  const lines = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: destination, sync: true }),
  )
  return (event, about = {}) => {
    const line = { event, ...(redact(about, 1) as object) }
    if (about.error === undefined) lines.info(line)
    else lines.error(line)
  }
}

/** Copies `value` with everything under a secret name masked, and errors spelt out. */
function redact(value: unknown, depth: number): unknown {
  if (value instanceof Error) return { name: value.name, message: value.message, ...codeOf(value), stack: value.stack }
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (depth > depthMax) return '…'
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, secretName.test(name) ? '…' : redact(inner, depth + 1)]),
  )
}

const codeOf = (error: Error) => ('code' in error ? { code: error.code } : {})

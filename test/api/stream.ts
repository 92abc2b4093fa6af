import { onTestFinished } from 'vitest'

/** A message of an event stream; a comment has its text only. */
export interface Told {
  id?: string
  event?: string
  data?: any
  comment?: string
}

const parse = (block: string): Told => {
  if (block.startsWith(':')) return { comment: block.slice(1).trim() }
  const fields = Object.fromEntries(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  )
  return { ...fields, ...(fields.data ? { data: JSON.parse(fields.data) } : {}) }
}

/** Reads an event stream; given up with the test. */
export function reader(body: ReadableStream<Uint8Array>) {
  const source = body.getReader()
  onTestFinished(async () => void (await source.cancel().catch(() => {})))
  const decoder = new TextDecoder()
  let rest = ''

  /** The next block, whatever it is; null when the stream has ended. */
  async function next(): Promise<Told | null> {
    for (;;) {
      const at = rest.indexOf('\n\n')
      if (at >= 0) {
        const block = rest.slice(0, at)
        rest = rest.slice(at + 2)
        return parse(block)
      }
      const { done, value } = await source.read()
      if (done) return null
      rest += decoder.decode(value, { stream: true })
    }
  }

  /** The next message, comments and `retry` passed over; null when the stream has ended. */
  async function message(): Promise<Told | null> {
    for (;;) {
      const told = await next()
      if (told === null || told.event) return told
    }
  }
  /** Reads on until the stream ends. */
  async function toEnd(): Promise<Told[]> {
    const all: Told[] = []
    for (let told = await message(); told; told = await message()) all.push(told)
    return all
  }
  return { next, message, toEnd, cancel: () => source.cancel() }
}

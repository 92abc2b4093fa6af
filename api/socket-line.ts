import { setImmediate } from 'node:timers/promises'
import type { RawData, WebSocket } from 'ws'

/** What may wait for a client that does not read. */
const WAITING_BYTES_MAX = 1_048_576
/** A client that is told to go has so long to say goodbye: over a slow line it reads what waits for it first. */
const GOODBYE_MS = 15_000
/** What a client may say between two beats. */
const MESSAGES_MAX = 300

/** What is said over a socket. */
export interface Message {
  type: string
  data: unknown
  timestamp: Date
}

/** Why a socket is closed (RFC 6455 7.4, and ours from 4400 on). */
export const endings = {
  1001: 'the server is stopping',
  1003: 'text only',
  1008: 'too many messages',
  1011: 'internal error',
  1013: 'try again later',
  4401: 'no valid token',
  4403: 'not allowed',
  4404: 'not found',
  4409: 'a newer line is there',
} as const
export type Ending = keyof typeof endings

/** One client's end of the line: says, hears `ping`, and ends. */
export interface Line {
  say(message: Message): void
  end(ending: Ending): void
  /** Looks whether the client is still there, and asks it for the next time. */
  beat(): void
  isOver(): boolean
  /** Gives what was said a chance to be sent: who reads is not to be taken for one who does not. */
  breathe(): Promise<void>
}

/** What a text says; null: nothing that can be read. */
function read(text: string): any {
  try {
    return JSON.parse(text)
  } catch {
    // Whatever is wrong with it, it says nothing.
    return null
  }
}

/**
 * @param ready resolves when the client has been greeted: nothing is said before
 * @param hear what it says, but for `{"type":"ping"}` with whatever else is in it
 */
export function lineOf(webSocket: WebSocket, ready: Promise<unknown>, hear: (said: unknown) => void): Line {
  let isOver = false
  let isAlive = true
  let heard = 0
  let goodbye: NodeJS.Timeout | undefined

  function end(ending: Ending): void {
    if (isOver) return
    isOver = true
    webSocket.close(ending, endings[ending])
    goodbye = setTimeout(() => webSocket.terminate(), GOODBYE_MS)
  }
  function say({ type, data, timestamp }: Message): void {
    if (isOver) return
    webSocket.send(JSON.stringify({ type, data, timestamp: timestamp.toISOString() }))
    if (webSocket.bufferedAmount > WAITING_BYTES_MAX) end(1013)
  }
  function receive(bytes: RawData, isBinary: boolean): void {
    isAlive = true
    const said = read(String(bytes))
    if (isBinary) end(1003)
    else if (++heard > MESSAGES_MAX) end(1008)
    else if (said?.type === 'ping') ready.then(() => say({ type: 'pong', data: {}, timestamp: new Date() }))
    else hear(said)
  }

  webSocket
    .on('message', receive)
    .on('pong', () => (isAlive = true))
    // What is wrong with the line closes it; 'close' comes behind.
    .on('error', () => {})
    .on('close', () => {
      isOver = true
      clearTimeout(goodbye)
    })
  return {
    say,
    end,
    isOver: () => isOver,
    breathe: async () => void (webSocket.bufferedAmount > 0 && (await setImmediate())),
    beat() {
      if (isOver) return
      if (isAlive) webSocket.ping()
      else webSocket.terminate()
      isAlive = false
      heard = 0
    },
  }
}

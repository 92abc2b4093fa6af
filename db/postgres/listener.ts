import type { Client } from './client.ts'

/** Opens a client for listening. */
type Open = (onNotify: (channel: string, payload: string) => void, onLost: () => void) => Client

interface Listener {
  onNotify(payload: string): void
  onListen(): void
}

/** Hears NOTIFY. */
export interface NotificationListener {
  listen(channel: string, onNotify: (payload: string) => void, onListen?: () => void): Promise<() => Promise<void>>
  close(): Promise<void>
}

/** How late a listener may be back after the database is. */
const retryMs = 250

/** A listener, and when it first hears. */
function listenerOf(onNotify: Listener['onNotify'], onListen: Listener['onListen']) {
  const { promise: heard, resolve } = Promise.withResolvers<void>()
  const first = () => {
    resolve()
    onListen()
  }
  return { listener: { onNotify, onListen: first }, heard }
}

/** Whatever fails here ends the connection, and a new one is dialled. */
function hear(on: Client, channel: string, listeners: Iterable<Listener>) {
  on.sql.unsafe(`listen "${channel}"`).then(
    () => {
      for (const { onListen } of listeners) onListen()
    },
    () => on.end(),
  )
}

/** One connection for all channels, dialled when somebody listens, and again after it was lost. */
export function notificationListener(open: Open): NotificationListener {
  const channels = new Map<string, Set<Listener>>()
  let client: Client | undefined
  let retry: NodeJS.Timeout | undefined
  let closed = false

  function start() {
    const mine = open(
      (channel, payload) => {
        for (const { onNotify } of channels.get(channel) ?? []) onNotify(payload)
      },
      () => {
        if (client !== mine || closed) return
        client = undefined
        void mine.end()
        retry = setTimeout(start, retryMs)
      },
    )
    client = mine
    retry = undefined
    for (const [channel, listeners] of channels) hear(mine, channel, listeners)
  }

  async function forget(channel: string, listener: Listener) {
    const listeners = channels.get(channel)
    listeners?.delete(listener)
    if (listeners?.size !== 0) return
    channels.delete(channel)
    // Away just now: then it will not be listened to when it is back either.
    await client?.sql.unsafe(`unlisten "${channel}"`).catch(() => {})
  }

  return {
    listen: async (channel, onNotify, onListen = () => {}) => {
      if (!/^\w+$/.test(channel)) throw new Error(`${channel} is no name for a channel`)
      const { listener, heard } = listenerOf(onNotify, onListen)
      channels.set(channel, (channels.get(channel) ?? new Set()).add(listener))
      if (client) hear(client, channel, [listener])
      else if (!retry) start()
      await heard
      return () => forget(channel, listener)
    },
    close: async () => {
      closed = true
      clearTimeout(retry)
      await client?.end()
    },
  }
}

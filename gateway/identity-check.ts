import { finish } from './connection.ts'
import type { Session } from './sessions.ts'

/**
 * Looks up whether this device is still ours and which keys it may sign with: an operator may have changed either. Its
 * frames do not wait for it; they are believed under the keys that were known. Ends the connection of a device that is
 * not ours any more. Without a database what was known holds, and the next frame tries again.
 */
export function lookAgain(session: Session): Promise<void> {
  // Also while a look is under way: it may have read what has changed since.
  session.isDoubtful = true
  session.looking ??= look(session).finally(() => {
    session.looking = null
  })
  return session.looking
}

async function look(session: Session): Promise<void> {
  const { connection, deviceId, handlers, bind } = session
  const { node } = connection
  while (session.isDoubtful) {
    session.isDoubtful = false
    try {
      const keys = await node.limiter.run(() => handlers.recognise(session))
      session.identifiedAt = node.clock.now
      if (keys && keys.length > 0 === (bind !== null)) renew(session, keys)
      else finish(connection, 'no_longer_known')
    } catch (error) {
      doubt(session)
      node.logSparingly(`${handlers.kind}.not_identified`, { deviceId, error })
    }
  }
}

/** A codec of other keys. Those that were good before come first: with one of them it has been speaking until now. */
function renew(session: Session, keys: readonly string[]): void {
  if (!session.bind || keys.join() === session.keys.join()) return
  const before = new Set(session.keys)
  session.codec = session.bind({
    keys: keys.toSorted((one, other) => Number(before.has(other)) - Number(before.has(one))),
  })
  session.keys = keys
}

/** Has a session looked up at its next frame: for when many are in doubt at once. */
export function doubt(session: Session): void {
  session.identifiedAt = Number.NEGATIVE_INFINITY
}

/** True when it is time to look again. Not while there is no database to look into. */
export const isDue = ({ connection: { node }, identifiedAt, looking }: Session) =>
  node.clock.now - identifiedAt > node.limits.identifyAgainMs && looking === null && node.isDatabaseThere

/** True when an unreadable frame is worth a look: it may be signed with a key that was stored just now. */
export const isWorthALook = ({ connection: { node }, bind, identifiedAt }: Session) =>
  bind !== null && node.clock.now - identifiedAt >= node.limits.identifyAgainMsMin && node.isDatabaseThere

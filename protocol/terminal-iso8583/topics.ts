/** What a topic of a terminal carries (docs/protocol.md 7.1): what it says, and what it is told. */
type Direction = 'up' | 'down'

/** A terminal's two topics. @throws RangeError no terminal code, which a wildcard is not */
export function topics(terminalCode: string): Record<Direction, string> {
  if (!/^[A-Z0-9]{8}$/.test(terminalCode)) throw new RangeError('a terminal is named by eight of A to Z and 0 to 9')
  return { up: `terminals/${terminalCode}/up`, down: `terminals/${terminalCode}/down` }
}

/** Whose topic it is and what for; null for all others. */
export function topicOf(topic: string): { terminalCode: string; direction: Direction } | null {
  const found = /^terminals\/([A-Z0-9]{8})\/(up|down)$/.exec(topic)
  return found && { terminalCode: found[1]!, direction: found[2] as Direction }
}

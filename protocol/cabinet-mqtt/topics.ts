/** What a topic carries (docs/protocol.md 5.2): commands, frames, heartbeats both ways. */
export type Channel = 'get' | 'update' | 'heart'

/** The IMEI of the 4G module: fifteen digits, so that no wildcard slips into a topic. */
export const isUuid = (text: string): boolean => /^\d{15}$/.test(text)

/**
 * A cabinet's three topics, with the leading slash of the documentation.
 * @throws RangeError no IMEI
 */
export function topics(uuid: string): Record<Channel, string> {
  if (!isUuid(uuid)) throw new RangeError('a cabinet is named by fifteen digits')
  const topic = (channel: Channel) => `/powerbank/${uuid}/user/${channel}`
  return { get: topic('get'), update: topic('update'), heart: topic('heart') }
}

/** Whose topic it is and what for; null for all others. */
export function topicOf(topic: string): { uuid: string; channel: Channel } | null {
  const found = /^\/powerbank\/(\d{15})\/user\/(get|update|heart)$/.exec(topic)
  return found && { uuid: found[1]!, channel: found[2] as Channel }
}

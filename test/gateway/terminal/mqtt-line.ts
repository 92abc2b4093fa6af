import { connectAsync, type IClientOptions } from 'mqtt'
import { onTestFinished } from 'vitest'
import type { Command, Heard } from '../../../protocol/terminal.ts'
import { deviceCodec } from '../../../protocol/terminal-iso8583/index.ts'
import { topics } from '../../../protocol/terminal-iso8583/topics.ts'
import { type Registered, type Said, whole } from './terminal-stage.ts'

/** What a line over MQTT may do otherwise. */
interface Options {
  options?: IClientOptions
  isSubscribed?: boolean
}

/** A terminal at a broker: it says and hears nothing by itself. */
export async function mqttLine(
  url: string,
  { code, key }: Pick<Registered, 'code' | 'key'>,
  { options = {}, isSubscribed = true }: Options = {},
) {
  const link = await connectAsync(
    url,
    { reconnectPeriod: 0, protocolVersion: 4, username: code, password: key, ...options },
    false,
  )
  onTestFinished(() => void link.end(true))
  link.on('error', () => {})
  const codec = deviceCodec({ terminalCode: code, key, carrier: 'mqtt' })
  const heard: Buffer[] = []
  const waiting: ((payload: Buffer) => void)[] = []
  link.on('message', (_, payload) => {
    const wanted = waiting.shift()
    if (wanted) wanted(payload)
    else heard.push(payload)
  })
  const ended = new Promise<void>((resolve) => link.once('close', resolve))
  const topic = topics(code)
  if (isSubscribed) await link.subscribeAsync(topic.down, { qos: 0 })
  const hear = async (): Promise<Heard | Command> =>
    codec.decode(heard.shift() ?? (await new Promise<Buffer>((wanted) => waiting.push(wanted))))
  /** Resolves with the broker's acknowledgement. */
  const say = (said: Said, more: { retain?: boolean; topic?: string } = {}) =>
    link.publishAsync(more.topic ?? topic.up, codec.encode(whole(said, code)), { qos: 1, retain: more.retain ?? false })
  return {
    ...{ link, codec, topic, ended, hear, say },
    ask: async (said: Said) => {
      await say(said)
      return await hear()
    },
  }
}

/** One that is signed on. */
export async function mqttSignedOn(url: string, terminal: Registered, more: Options = {}) {
  const line = await mqttLine(url, terminal, more)
  const heard = await line.ask({ kind: 'login' })
  if (!('code' in heard) || heard.code !== '00') throw new Error(`not signed on: ${JSON.stringify(heard)}`)
  return line
}

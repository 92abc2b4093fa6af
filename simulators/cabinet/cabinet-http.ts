import type { Bank } from '../../protocol/cabinet.ts'
import * as mqtt from '../../protocol/cabinet-mqtt/index.ts'
import type { Ask } from '../dial.ts'
import type { Box } from './box.ts'
import type { Journal, Question } from './journal.ts'

/** What an MQTT cabinet says over HTTP: always signed, never secret (docs/protocol.md 5.1). */
export interface Web {
  ask: Ask
  box: Box
  journal: Journal
  /** Old firmware knows other paths. */
  firmware: mqtt.Firmware
}

const signal = 'CSQ:27'
const versions = 'hardware=V6086&software=20240904-RBMG-3.0.0.0'

async function say(web: Web, question: Question, path: string, query: Record<string, string>, body: string | Buffer) {
  const { ask, box, journal } = web
  let answer: string
  try {
    answer = await ask(box.server, `${path}?${mqtt.signed(query)}`, typeof body === 'string' ? body : Buffer.from(body))
  } catch (error) {
    journal.add({ event: 'asked', question, answer: error instanceof Error ? error.message : `${error}` })
    throw error
  }
  // The data of a bootstrap holds a password.
  const [, code = 'unreadable'] = /"code":(\d+)/.exec(answer) ?? []
  journal.add({ event: 'asked', question, answer: code })
  return answer
}

const pathOf = <T>([newer, older]: readonly [T, T], { firmware }: Web) => (firmware === 'old' ? older : newer)

/**
 * Asks where the broker is (5.1).
 * @throws MalformedBody refused, or no such answer | whatever `ask` throws
 */
export async function connect(web: Web): Promise<mqtt.BrokerLogin> {
  const { boxId, iccid } = web.box
  const query = { deviceId: '0', simMobile: '', simUUID: iccid, uuid: boxId }
  return mqtt.readConnectAnswer(await say(web, 'bootstrap', pathOf(mqtt.connectPaths, web), query, versions))
}

/** Says what the holes hold (5.7). @param frame 0x10 @throws whatever `ask` throws */
export async function upload(web: Web, frame: Buffer): Promise<void> {
  await say(web, 'upload', pathOf(mqtt.uploadPaths, web), { rentboxSN: web.box.boxId, signal }, frame)
}

/** Says a return once more (5.5, 0x40). @throws whatever `ask` throws */
export async function sayReturn(web: Web, { bankId, slot }: Bank): Promise<void> {
  const query = { rentboxSN: web.box.boxId, singleSN: `${mqtt.snOf(bankId)}`, hole: `${slot}` }
  await say(web, 'http_return', pathOf(mqtt.returnPaths, web), query, '')
}

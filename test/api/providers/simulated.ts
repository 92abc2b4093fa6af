import { onTestFinished } from 'vitest'
import type { Reply } from '../../../api/providers/call.ts'
import { type Fault, faultOf } from '../../../simulators/provider/fault.ts'
import { type ProviderName, type Simulator, simulate } from '../../../simulators/provider/provider-simulator.ts'

export const credentials = {
  yookassa: '100500:test_secret-key',
  cryptopay: '528890:AAsecret-token',
  freekassa: 'freekassa-secret-api-key',
  tribute: 'tribute-secret-key',
  stars: '123456:AAsecret-bot-token',
  panel: 'panel-secret-token',
} satisfies Record<ProviderName, string>

/** Short, for what never answers; long enough for a busy machine. */
export const limits = { timeoutSeconds: 2, callsMax: 20 }

const about = {
  merchantId: '777',
  firstSecret: 'secret word 1',
  scheme: 'md5' as const,
  telegramId: 123_456,
  panelVersion: '3' as '2' | '3',
  needsReceipts: false,
}

/** A provider on this machine that ends with the test; it tells nobody unless told whom. */
export async function simulated(
  name: ProviderName,
  { notices, ...more }: Partial<typeof about> & { notices?: { url: string; secret: string } } = {},
): Promise<Simulator> {
  const delivery = notices && { ...notices, retryMs: [5, 5], lateMs: 50, allowRemote: false }
  const settings = { ...about, ...more, port: 0, credential: credentials[name] }
  const simulator = await simulate(name, settings, delivery ?? null)
  onTestFinished(() => simulator.close())
  return simulator
}

/** From now on, or for so many calls: `429:1`. */
export const misbehave = ({ faults }: Simulator, fault: Fault | `${Fault}:${number}`): void => {
  faults.set(...faultOf(fault))
}

/** What was done. @throws Error it was not */
export function value<T>(reply: Reply<T>): T {
  if (reply.kind !== 'done') throw new Error(JSON.stringify(reply))
  return reply.value
}

/** What every client makes of each fault; `:1`, so that what comes next is answered. */
export const outcomes = [
  ['timeout:1', { kind: 'doubtful', why: 'no answer in time' }],
  ['reset:1', { kind: 'doubtful', why: 'no answer: ECONNRESET' }],
  ['5xx:1', { kind: 'doubtful', why: 'answered 500' }],
  ['html:1', { kind: 'doubtful', why: 'answered 200 without JSON' }],
  ['429:1', { kind: 'later', seconds: 1, why: 'too many requests' }],
] as const

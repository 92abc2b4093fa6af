import { describe, expect, test } from 'vitest'
import { type ProviderName, providerNames, tellerOf } from '../../../simulators/provider/provider-simulator.ts'
import { heard, merchantId, secrets, stored, tell } from './stage.ts'

const house = await heard()
const about = { id: '528890', order: '42', amountMinor: 29_900, currency: 'RUB', telegramId: 123_456, at: new Date() }
const particulars = {
  merchantId,
  firstSecret: '',
  scheme: 'md5',
  telegramId: 1,
  panelVersion: '3',
  needsReceipts: false,
} as const
const secretOf = (name: ProviderName) => (name === 'yookassa' ? '' : secrets[name])
/** One of YooKassa's own, and the one FreeKassa speaks from. */
const peers: Partial<Record<ProviderName, string>> = { yookassa: '185.71.76.1', freekassa: '168.119.157.136' }

describe.each(providerNames)('%s', (name) => {
  const teller = tellerOf(name, particulars)
  const say = (event: string, secret = secretOf(name), peer = peers[name]) => {
    const { headers, body } = teller.sign(Buffer.from(teller.body(event, about)), secret)
    return tell(house, `/webhook/${name}`, { headers, body, ...(peer && { peer }) })
  }

  test.each([...teller.events])('%s, as it is simulated, is taken and kept', async (event) => {
    const before = (await stored(house)).length
    const { status, text } = await say(event)
    expect(teller.isTaken(status, text)).toBe(true)
    expect((await stored(house)).length).toBe(before + 1)
  })

  test('what somebody else signed is not', async () => {
    const { status, text } = await say(teller.events[0]!, 'another secret', '203.0.113.9')
    expect({ status, isTaken: teller.isTaken(status, text) }).toEqual({ status: 403, isTaken: false })
  })
})

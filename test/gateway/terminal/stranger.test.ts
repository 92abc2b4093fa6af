import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { transactions } from '../../db/paygo/till.ts'
import { testDb } from '../../postgres.ts'
import { frameOf, readFrame } from '../../protocol/terminal-stranger.ts'
import { newTerminal, now, terminalGateway } from './terminal-stage.ts'

const { db } = await testDb()

test.each(['', '6000010002'])(
  'a terminal written from the documentation signs on, buys and takes back over a socket, routed by "%s"',
  async (tpdu) => {
    const gateway = await terminalGateway(db)
    const { id, code, key } = await newTerminal(db)
    const socket = connect(gateway.ports.terminal!, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    async function ask(mti: string, fields: Record<number, string>) {
      socket.write(frameOf(key, mti, { 7: sentAt, 41: code, ...fields }, tpdu))
      const [frame] = (await once(socket, 'data')) as [Buffer]
      return readFrame(key, frame)
    }
    const sentAt = now()
    expect(await ask('0800', { 11: '000001', 70: '001' })).toMatchObject({
      isSigned: true,
      fields: { 0: '0810', 39: '00' },
    })
    const card = { 2: '4242424242424242', 14: '2912', 22: '011' }
    const sale = {
      3: '000000',
      4: '15000',
      11: '000002',
      12: sentAt.slice(4),
      13: sentAt.slice(0, 4),
      25: '00',
      49: '643',
    }
    const bought = await ask('0200', { ...card, ...sale })
    expect(bought).toMatchObject({ isSigned: true, fields: { 0: '0210', 11: '000002', 39: '00' } })
    expect(bought.fields[38]).toMatch(/^\w{6}$/)
    const original = `0200000002${sentAt}${'0'.repeat(22)}`
    const back = { 4: '15000', 11: '000003', 39: '17', 90: original }
    expect(await ask('0400', back)).toMatchObject({ isSigned: true, fields: { 0: '0410', 39: '00' } })
    expect(await ask('0800', { 11: '000004', 70: '002' })).toMatchObject({ fields: { 0: '0810', 39: '00' } })
    expect(await transactions(db, id)).toMatchObject([{ status: 'cancelled', amountMinor: 15_000 }])
  },
)

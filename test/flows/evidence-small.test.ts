import { describe, expect, test } from 'vitest'
import { newBank, town, until, ways } from './town.ts'

// What a cabinet says of its card, its volume and its holes, over every wire: the same text.

const { call, db, open, station, unit, customer, person, becomes } = await town({ borrowWaitSeconds: 4 })
const group = await unit('Сеть')
const { token } = await person('service_admin')

describe.each(ways)('over $way', ({ dialect, where, missing }) => {
  const place = async (...bankIds: string[]) => {
    const { ports } = await open(where)
    return await station(ports, { orgUnitId: group, dialect, bankIds })
  }

  test.skipIf(missing)('a SIM is told in its one normal form, and kept so', async () => {
    const one = await place()
    const { box } = one.box
    // Over MQTT it is told at the bootstrap, once.
    if (dialect !== 'mqtt') box.iccid = '8970199123456789012f'
    const iccid = dialect === 'mqtt' ? box.iccid : '8970199123456789012'
    for (let times = 0; times < 2; times += 1)
      expect(await call('GET', `/api/iccid/stations/${one.id}`, { token })).toMatchObject({
        status: 200,
        body: { data: { iccid } },
      })
    expect(await db.sql`select iccid from stations where id = ${one.id}`).toEqual([{ iccid }])
  })

  test.skipIf(missing)('what its wire has no question for is told so, and not that the cabinet refused', async () => {
    const one = await place()
    const paths = ['query-voice-volume', 'query-server-address', 'query-software-version']
    const answers = await Promise.all(
      paths.map((path) => call('POST', `/api/${path}`, { token, body: { station_id: one.id } })),
    )
    const cannot = { status: 400, body: { error: expect.stringContaining('такой команды не знают') } }
    for (const answer of answers) expect(answer).toMatchObject(dialect === 'mqtt' ? cannot : { status: 200 })
    // An answer that never came shows no frame.
    if (dialect === 'mqtt') expect(answers[0]?.body).not.toHaveProperty('packet_hex')
  })

  test.skipIf(missing)('its volume is set, and shown by the scale it has', async () => {
    const one = await place()
    const set = { station_id: one.id, volume: 100 }
    expect((await call('POST', '/api/set-voice-volume', { token, body: set })).status).toBe(200)
    expect(one.box.box.volume).toBe(15)
    await call('POST', '/api/query-voice-volume', { token, body: { station_id: one.id } })
    expect(await call('GET', `/api/query-voice-volume/station/${one.id}`, { token })).toMatchObject({
      body: { voice_volume: { volume: 100, volume_level: 15 } },
    })
  })

  test.skipIf(dialect === 'mqtt')('slots that are counted from 0 lend and take back', async () => {
    const [bankId] = [newBank(dialect)] as const
    const { ports } = await open(where)
    const one = await station(ports, { orgUnitId: group, dialect, bankIds: [bankId], faults: ['slot-zero'] })
    await call('POST', '/api/query-inventory', { token, body: { station_id: one.id } })
    const placeOf = async () =>
      (await db.sql`select slot_number from station_powerbanks where station_id = ${one.id}`).map(
        (row) => row.slotNumber,
      )
    await until(async () => (await placeOf()).length === 1)
    const [slot] = await placeOf()
    const borrower = await customer(group)
    const body = { user_id: borrower.id, slot_number: slot }
    const lent = await call('POST', `/api/borrow/stations/${one.id}/request`, { token: borrower.token, body })
    expect(lent.status).toBe(200)
    expect(slot).toBe(0)
    one.box.insert(bankId)
    await becomes(lent.body.order_id, 'return')
  })
})

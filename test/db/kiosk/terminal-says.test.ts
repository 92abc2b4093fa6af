import { expect, test } from 'vitest'
import { testDb } from '../../postgres.ts'
import { advice, exceptions, reversal, sentAt } from '../paygo/till.ts'
import { begun, booked, bringsBack, DEPOSIT, HOUR, letsOut, rentalsOf, says, stand, work } from './stand.ts'

// What a terminal says of its deposit after the 0100, which it need not (docs/protocol.md 7.7).

const { db } = await testDb()
const original = { mti: '0100', stan: '000001', sentAt }

async function rented() {
  const place = await stand(db)
  await begun(db, place)
  await letsOut(db, place.station)
  await work(db)
  return place
}

/** After an hour and a half. */
async function brought(station: number) {
  await bringsBack(db, station)
  await work(db)
}

test.each([
  ['less than is due is for people', HOUR, 'unsecured', HOUR, [`${2 * HOUR} is due, and ${HOUR} was taken`]],
  ['too much is brought to what is due', 3 * HOUR, 'returned', 2 * HOUR, []],
])('of what a terminal completes itself %s', async (_, completedMinor, outcome, taken, told) => {
  const { till, station } = await rented()
  await says(db, till, advice('000009', completedMinor, { original }))
  await brought(station)
  expect(await rentalsOf(db, till)).toMatchObject([{ outcome, owedMinor: 2 * HOUR }])
  expect(await booked(db, till)).toEqual({ taken, held: 0 })
  expect(await exceptions(db, till)).toEqual(told)
})

test('what a rental has cost, and its terminal takes back, is for people once', async () => {
  const { till, station } = await rented()
  await brought(station)
  for (const stan of ['000009', '000010']) await says(db, till, reversal(stan, original, DEPOSIT))
  expect(await booked(db, till)).toEqual({ taken: 0, held: 0 })
  expect(await exceptions(db, till)).toEqual(['reversal of what the host has taken'])
})

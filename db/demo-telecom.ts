import { createHash } from 'node:crypto'
import type { Actor } from './platform/actor.ts'
import type { Tx } from './postgres/connect.ts'
import * as contracts from './telecom/contracts.ts'
import * as customers from './telecom/customers.ts'
import * as payments from './telecom/payments.ts'
import * as sims from './telecom/sims.ts'
import * as tariffs from './telecom/tariffs.ts'

const ICCID_DIGITS = 13
const PHONES_FROM = 550_000_000
const ZONE = 'Europe/Moscow'
const TOP_UP_MINOR = 100_000

/** The SIM card that a simulated cabinet says it has: it follows from its id. */
const iccidOf = (boxId: string) =>
  `8970199${BigInt(`0x${createHash('md5').update(boxId).digest('hex')}`)
    .toString()
    .slice(0, ICCID_DIGITS)}`

/** Who pays for the SIM cards of the first cabinets, by the verbs of the CRM; those that there are stay as they are. */
export async function openContracts(tx: Tx, actor: Actor, boxIds: readonly string[]): Promise<void> {
  const found = await tx`select 1 from customers where phone = '+996550000001' limit 1`
  if (found.length > 0) return
  const tariff = await tariffs.create(tx, actor, { name: 'Станция', monthlyFeeMinor: 15_000, dataGbIncluded: '1.00' })
  const { id: customerId } = await customers.create(tx, actor, {
    firstName: 'Азамат',
    lastName: 'Владелец',
    phone: '+996550000001',
    documentType: 'passport',
    documentNumber: 'ID0000001',
  })
  for (const [n, boxId] of boxIds.entries()) {
    const { id: simId } = await sims.create(tx, actor, {
      iccid: iccidOf(boxId),
      imsi: `437010000000${String(n).padStart(3, '0')}`,
      msisdn: `+996${PHONES_FROM + n + 100}`,
      pukCode: String(10_000_000 + n),
    })
    const { id } = await contracts.create(tx, actor, { customerId, tariffId: tariff.id }, ZONE)
    await contracts.activate(tx, actor, id, { simId, zone: ZONE })
    const topUp = { transactionType: 'payment', amountMinor: TOP_UP_MINOR, paymentMethod: 'cash' } as const
    await payments.atOnce(tx, actor, id, { ...topUp, description: 'Пополнение' })
  }
}

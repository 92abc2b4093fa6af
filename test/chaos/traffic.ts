import { setTimeout as pause } from 'node:timers/promises'
import { banksOf } from '../../simulators/cabinet/box.ts'
import type { Ask } from './customer.ts'
import { dice } from './dice.ts'
import { REST_SECONDS_MAX } from './limits.ts'
import { settles } from './rest.ts'
import { wrongs } from './verify.ts'
import type { World } from './world.ts'

/** Borrows at once, more than there are cabinets: some wait until a motor is free. */
const BORROWS = 6
const STAGGER_MS_MAX = 250
/** Of the loans made before, so many are as fresh as they look; the others began a minute ago. */
const FRESH_LOANS = 1
/** How long somebody stands in front of a cabinet for a bank that has just been put into it. */
const PATIENCE_SECONDS = 4

const personFor = ({ people, asks }: World) => people[asks.length % people.length]!

/** One bank of each cabinet goes out, undisturbed: somebody must have one before he can bring it back. */
export async function lendSome(world: World): Promise<string[]> {
  const lent = await Promise.all(
    world.stations.map(({ id }) => world.ask(personFor(world), `/stations/${id}/request-optimal`)),
  )
  const failed = lent.find(({ answer }) => answer?.status !== 200)
  if (failed) throw new Error(`nothing was disturbed yet, and ${failed.path} ended in ${JSON.stringify(failed.answer)}`)
  // Time travel: just after a loan a return is looked into before it is believed, which is another path.
  await world.db.sql`
    update orders set borrowed_at = borrowed_at - interval '1 minute', created_at = created_at - interval '1 minute'
    where id > (select min(id) + ${FRESH_LOANS - 1} from orders)`
  return lent.map(({ answer }) => answer!.serial!)
}

/** Borrows of chosen slots and returns of the banks that are out, all within a moment. */
export function traffic(world: World, lent: readonly string[]): Promise<Ask>[] {
  const { dice, stations, physical } = world
  for (const bankId of lent) setTimeout(() => physical.giveBack(bankId), dice.whole(0, STAGGER_MS_MAX))
  return Array.from({ length: BORROWS }, async (_, n) => {
    const { id, box } = stations[n % stations.length]!
    // The first of this cabinet's banks, and the next for whoever comes to it second.
    const slot = banksOf(box.box)[Math.floor(n / stations.length)]?.slot ?? 1
    await pause(dice.whole(0, STAGGER_MS_MAX))
    return world.ask(personFor(world), `/stations/${id}/request`, { body: { slot_number: slot } })
  })
}

/** Somebody wants each bank that was just brought back: an old return said again must not end a new loan. */
export async function borrowAgain(world: World): Promise<Ask[]> {
  const back = world.physical.acts.filter(({ act }) => act === 'inserted').map(({ bankId }) => bankId)
  const banks = await world.db.sql<{ id: number }[]>`
    select id from powerbanks where device_id = any(${[...new Set(back)]}::text[]) order by id`
  return Promise.all(
    banks.map(({ id }) =>
      world.ask(personFor(world), `/powerbanks/${id}/request`, { patienceSeconds: PATIENCE_SECONDS }),
    ),
  )
}

/** Waits until everybody has an answer and nothing is in doubt, then until every bank is back and every order has ended. */
export async function comeToRest(world: World, asking: Promise<unknown>): Promise<string[]> {
  const { physical, db, asks } = world
  await asking
  physical.calm()
  const unanswered = asks.filter(({ answer }) => answer === null).map(({ key }) => `key ${key} got no final answer`)
  const undecided = await settles(db, REST_SECONDS_MAX, () => wrongs(world, { isOver: false }))
  if (undecided.length > 0) return [...unanswered, ...undecided]
  for (const bankId of physical.out()) physical.giveBack(bankId)
  return [...unanswered, ...(await settles(db, REST_SECONDS_MAX, () => wrongs(world, { isOver: true })))]
}

/** People who come and go until they are told to stop: each borrows somewhere, and brings the bank back somewhere. */
export function bustle(world: World): { stop(): Promise<void> } {
  let isOver = false
  const come = async (n: number) => {
    const own = dice(n)
    while (!isOver) {
      const { id } = own.pick(world.stations)
      const { answer } = await world.ask(world.people[n]!, `/stations/${id}/request-optimal`)
      await pause(own.whole(0, STAGGER_MS_MAX))
      if (answer?.serial) world.physical.giveBack(answer.serial)
    }
  }
  const everybody = Promise.all(world.people.map((_, n) => come(n)))
  return {
    async stop() {
      isOver = true
      await everybody
    },
  }
}

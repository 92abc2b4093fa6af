import { forsake, hangUp, switchOff } from '../line.ts'
import type { Device } from './behaviours.ts'
import type { Card } from './cards.ts'
import { lineLost } from './exchanges.ts'
import { type FaultName, type FaultWish, faultIn, faultOf } from './faults.ts'
import { echo, restart, signOn } from './hearing.ts'
import { type Machine, network, reachOf, say } from './machine.ts'
import * as sales from './sales.ts'
import type { Journal } from './terminal-journal.ts'
import { adopt, type Sale, type Till } from './till.ts'

/** An amount and the card that is to pay it. */
export interface Payment {
  amountMinor: number
  card: Card
}

/** A simulated payment terminal. People act on it by these; its host by the wire. */
export interface Terminal {
  readonly device: Device
  readonly till: Till
  readonly journal: Journal
  /** True between an accepted sign-on and the end of its line. */
  readonly online: boolean
  /** How many questions about money have no answer yet. */
  readonly waiting: number
  /** Resolves once signed on. @throws Error the host refuses it */
  readonly signedOn: Promise<void>
  /** Faults that are on, by name. */
  readonly faults: readonly FaultName[]
  /** Turns a fault on, or off if it is on. @throws RangeError this wire cannot have it */
  toggle(fault: FaultWish): void
  /** A purchase. @throws RangeError not now */
  buy(payment: Payment): Sale
  /** A deposit. @throws RangeError not now */
  authorise(payment: Payment): Sale
  /** Takes what is due of the last deposit, all of it unless told. @throws RangeError nothing is held, or not so much */
  complete(amountMinor?: number): Sale
  /** A purchase that it approves by itself. @throws RangeError not now */
  advise(payment: Payment): Sale
  /** Takes the last sale back, or that one. @throws RangeError there is none */
  reverse(stan?: string): Sale
  /** Settles. @throws RangeError something still waits for its answer */
  total(): void
  /** Takes the host's figures for its own. @throws RangeError it has named none */
  adopt(): void
  /** An echo out of turn. */
  echo(): void
  /** Signs off: hangs up once that is answered, and dials no more. */
  signOff(): void
  signOn(): void
  /** Power off and on. */
  restart(): void
  /** The line breaks; the terminal dials again. */
  drop(): void
  /** The line dies without a word to the host, which still holds its socket; the terminal dials another. */
  halfOpen(): void
  /** Any bytes, right or wrong. */
  send(bytes: Buffer): void
  /** The end: hangs up for good and stops every timer. */
  close(): Promise<void>
}

async function signedOn({ journal, online }: Machine): Promise<void> {
  if (online) return
  const entry = await journal.next(
    (entry) => entry.event === 'refused' || (entry.event === 'heard' && entry.about === 'login'),
  )
  const code = entry.event === 'refused' ? entry.code : entry.event === 'heard' ? entry.words.code : ''
  if (code !== '00') throw new Error(`the sign-on was refused: ${code}`)
}

function toggle(machine: Machine, wish: FaultWish) {
  const { faults, family } = machine
  if (faults.delete(faultIn(wish))) return
  const [name, made] = faultOf(wish, family)
  faults.set(name, made)
  made.begins?.(reachOf(machine))
}

/** Switches a machine on, as its faults let it. */
function begin(machine: Machine) {
  const { journal, faults, wire } = machine
  journal.watch(({ event }) => {
    if (event === 'closed') lineLost(machine)
  })
  const beginning = [...faults.values()].flatMap(({ begins }) => begins ?? [])
  if (beginning.length === 0) wire.dial()
  for (const begins of beginning) begins(reachOf(machine))
}

async function close(machine: Machine) {
  for (const exchange of machine.queue.splice(0)) clearTimeout(exchange.timer)
  await switchOff(machine)
}

/** A machine as people, tests and scripts hold it, switched on. */
export function simulated(machine: Machine): Terminal {
  const { device, till, journal, faults, wire } = machine
  begin(machine)
  return {
    ...{ device, till, journal },
    get online() {
      return machine.online
    },
    get waiting() {
      return machine.queue.length
    },
    get signedOn() {
      return signedOn(machine)
    },
    get faults() {
      return [...faults.keys()]
    },
    toggle: (fault) => toggle(machine, fault),
    buy: (payment) => sales.sell(machine, 'purchase', payment),
    authorise: (payment) => sales.sell(machine, 'authorisation', payment),
    complete: (amountMinor) => sales.complete(machine, amountMinor),
    advise: (payment) => sales.advise(machine, payment),
    reverse: (stan) => sales.reverse(machine, stan),
    total: () => sales.total(machine),
    adopt: () => adopt(till),
    echo: () => echo(machine),
    signOff: () => say(machine, network(machine, 'sign_off')),
    signOn: () => signOn(machine),
    restart: () => restart(machine),
    drop: () => hangUp(machine, 'dropped'),
    halfOpen() {
      wire.deafen?.()
      forsake(machine)
    },
    send(bytes) {
      if (!wire.canSay()) throw new RangeError('the terminal has no line')
      wire.write(bytes)
      journal.add({ event: 'sent', frame: bytes.toString('hex').toUpperCase() })
    },
    close: () => close(machine),
  }
}

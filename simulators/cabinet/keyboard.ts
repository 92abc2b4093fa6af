import { emitKeypressEvents } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { nextBank, strangersBank } from './box.ts'
import type { Entry } from './journal.ts'
import { faultKeys, render, slotsDeep } from './screen.ts'
import type { Cabinet } from './simulated-cabinet.ts'

const wireLinesMax = 200
const redrawMilliseconds = 40
/** Two digits typed within this time are one number. */
const digitMilliseconds = 900

const screenOn = '\x1b[?1049h\x1b[?25l'
const screenOff = '\x1b[?25h\x1b[?1049l'

/** What is needed of a terminal. */
export interface Terminal {
  input: Readable & { setRawMode(raw: boolean): unknown }
  output: Writable & { columns: number; rows: number }
}

interface Hand {
  cabinet: Cabinet
  title: string
  selected: number
  wire: string[]
  notice: string
  faulting: boolean
  typed: { digits: string; at: number }
  /** How wide the terminal is now. */
  columns(): number
  leave(): void
}

const told = (notice: string, work: (hand: Hand) => void) => (hand: Hand) => {
  work(hand)
  return notice
}

/** Each key does one thing at the selected slot; what it returns is shown. */
const keys: Record<string, (hand: Hand) => string> = {
  i: ({ cabinet, selected }) => `inserted into slot ${cabinet.insert(nextBank(cabinet.box), selected)}`,
  n: ({ cabinet, selected }) =>
    `a stranger's bank inserted into slot ${cabinet.insert(strangersBank(cabinet.box), selected)}`,
  p: ({ cabinet, selected }) => `pulled ${cabinet.pull(selected)} out of slot ${selected}`,
  j({ cabinet, selected }) {
    cabinet.jam(selected)
    return `slot ${selected} ${cabinet.box.jammed.has(selected) ? 'is jammed' : 'works again'}`
  },
  e({ cabinet, selected }) {
    cabinet.emptyReturn(selected)
    return `slot ${selected} closed on nothing`
  },
  h: told('heartbeat', ({ cabinet }) => cabinet.heartbeat()),
  r: told('rebooting', ({ cabinet }) => cabinet.restart()),
  d: told('the link is dropped', ({ cabinet }) => cabinet.drop()),
  o: told('the old link is left half open', ({ cabinet }) => cabinet.halfOpen()),
  f: told('', (hand) => void (hand.faulting = true)),
  up: (hand) => select(hand, hand.selected - 1),
  down: (hand) => select(hand, hand.selected + 1),
  left: (hand) => select(hand, hand.selected - slotsDeep(hand.cabinet.box, hand.columns())),
  right: (hand) => select(hand, hand.selected + slotsDeep(hand.cabinet.box, hand.columns())),
  q: told('', ({ leave }) => leave()),
}

function select(hand: Hand, slot: number): string {
  const { slots } = hand.cabinet.box
  hand.selected = Math.min(Math.max(1, slot), slots)
  return ''
}

function digit(hand: Hand, key: string): string {
  const now = Date.now()
  const { digits, at } = hand.typed
  const both = now - at < digitMilliseconds ? digits + key : key
  const number = Number(both) <= hand.cabinet.box.slots ? both : key
  hand.typed = { digits: number, at: now }
  return select(hand, Number(number))
}

function press(hand: Hand, key: string) {
  try {
    if (hand.faulting) {
      hand.faulting = false
      const fault = faultKeys(hand.cabinet.box).get(key)
      if (fault) hand.cabinet.toggle(fault)
      hand.notice = fault ? `${fault} is ${hand.cabinet.faults.includes(fault) ? 'on' : 'off'}` : ''
    } else if (/^\d$/.test(key)) hand.notice = digit(hand, key)
    else hand.notice = keys[key]?.(hand) ?? hand.notice
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    hand.notice = error.message
  }
}

/** Takes a terminal for a hand, until the returned function gives it back. */
function takeTerminal({ input, output }: Terminal, hand: Hand, redraw: () => void): () => void {
  const onKey = (_: string, { name, ctrl, sequence }: { name?: string; ctrl?: boolean; sequence: string }) => {
    if (ctrl && name === 'c') hand.leave()
    press(hand, name ?? sequence)
    redraw()
  }
  const restore = () => output.write(screenOff)
  process.once('exit', restore)
  output.write(screenOn)
  emitKeypressEvents(input)
  input.setRawMode(true)
  input.on('keypress', onKey)
  input.resume()
  output.on('resize', redraw)
  return () => {
    input.setRawMode(false)
    input.off('keypress', onKey)
    input.pause()
    output.off('resize', redraw)
    process.off('exit', restore)
    restore()
  }
}

/** Gives a cabinet a screen and a keyboard until somebody quits. */
export async function play(
  cabinet: Cabinet,
  title: string,
  line: (entry: Entry) => string,
  terminal: Terminal = { input: process.stdin, output: process.stdout },
): Promise<void> {
  const { output } = terminal
  const left = Promise.withResolvers<void>()
  const hand: Hand = {
    cabinet,
    title,
    selected: 1,
    wire: cabinet.journal.entries.map(line),
    notice: '',
    faulting: false,
    typed: { digits: '', at: 0 },
    columns: () => output.columns,
    leave: left.resolve,
  }
  const draw = () => {
    const lines = render({ ...hand, columns: output.columns, rows: output.rows })
    output.write(`\x1b[H${lines.map((text) => `${text}\x1b[K`).join('\r\n')}\x1b[J`)
  }
  let due: NodeJS.Timeout | undefined
  const redraw = () => {
    due ??= setTimeout(() => {
      due = undefined
      draw()
    }, redrawMilliseconds)
  }
  const unwatch = cabinet.journal.watch((entry) => {
    hand.wire = [...hand.wire, line(entry)].slice(-wireLinesMax)
    redraw()
  })
  const giveBack = takeTerminal(terminal, hand, redraw)
  draw()
  await left.promise
  unwatch()
  clearTimeout(due)
  giveBack()
}

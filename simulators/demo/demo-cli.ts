import { createInterface } from 'node:readline'
import { jsonLine } from '../cabinet/journal.ts'
import { tool } from '../options.ts'
import { stopped } from '../stopped.ts'
import * as terminals from '../terminal/terminal-journal.ts'
import { customers } from './customers.ts'
import { type DemoFleet, type DemoSettings, type DemoStation, demoFleet } from './demo-fleet.ts'
import { type DemoShops, demoShops } from './demo-shops.ts'
import { type DemoTerminals, demoTerminals } from './demo-terminals.ts'
import { type SubscribersSettings, subscribers } from './subscribers.ts'

/** For --help. */
export const demoManual = `Settings are one line of JSON on standard input, because keys do not belong on a command line:
  {"host":"127.0.0.1","port":9066,"stations":[{"boxId":"…","key":"…","dialect":"B","slots":8,"banks":4}]}
A station of dialect "mqtt" has an IMEI for a boxId and asks at "bootstrapPort" for its broker.
An "api":{"url":"http://localhost:8000","customers":["+79…"],"password":"…"} beside it has people borrow there, from
the stations whose "id" is given. A "tills":{"port":9067,"terminals":[{"terminalCode":"…","key":"…"}]} has payment
terminals sell, now and then refuse, take back and settle; one with a "depositMinor" takes deposits for what its cabinet lets out. A "shops":[{"name":"yookassa","port":…,"credential":"…","secret":"…"}]
plays payment providers, and "subscribers":[{"email":"…","provider":"yookassa"}] pay there, renew and cancel. "banks" are so many generated ones, or a list of ids; "heartbeatSeconds" and "returnSeconds":[20,90] may be set too.
It runs until standard input ends or it is told to stop. What happens to the metal is a line of JSON each.
`

/** What the line says: the fleet, and who borrows from it. */
interface Demo extends DemoSettings {
  stations: readonly (DemoStation & { id?: number })[]
  api?: { url: string; customers: readonly string[]; password: string }
  tills?: Pick<DemoTerminals, 'port' | 'terminals'>
  shops?: DemoShops['shops']
  subscribers?: (SubscribersSettings['subscribers'][number] & { telegramId: number })[]
}

function read(line: string): Demo {
  const given = JSON.parse(line)
  if (typeof given?.host !== 'string' || !Number.isInteger(given.port) || !Array.isArray(given.stations))
    throw new RangeError(
      'a line {"host":…,"port":…,"stations":[{"boxId":…,"key":…,"dialect":"B","slots":8}]} is wanted',
    )
  return given
}

const tell = (who: object, line: string) =>
  void process.stdout.write(`${JSON.stringify({ ...who, ...JSON.parse(line) })}\n`)

/** Everybody in it, alive until they are closed. */
async function begin(demo: Demo, quiet: boolean): Promise<{ close(): Promise<void> }> {
  const { host, api, tills, shops: providers, subscribers: buyers = [] } = demo
  const telegramId = buyers.find(({ provider }) => provider === 'stars')?.telegramId ?? 1
  const sellers = api && providers && (await demoShops({ shops: providers, url: api.url, telegramId }))
  const subscribed = api && sellers && subscribers({ ...api, subscribers: buyers })
  const fleet: DemoFleet = demoFleet(demo)
  const stationIds = demo.stations.flatMap(({ id }) => (id === undefined ? [] : [id]))
  const people = api && customers({ ...api, stationIds })
  const shops = tills && demoTerminals({ host, ...tills })
  for (const { box, journal } of quiet ? [] : fleet.cabinets)
    journal.watch((entry) => {
      if (entry.event === 'did' || entry.event === 'closed') tell({ boxId: box.boxId }, jsonLine(entry))
    })
  for (const { device, journal } of quiet ? [] : (shops?.terminals ?? []))
    journal.watch((entry) => {
      const { terminalCode } = device
      if (entry.event === 'did' || entry.event === 'closed') tell({ terminalCode }, terminals.jsonLine(entry))
    })
  return {
    async close() {
      people?.close()
      subscribed?.close()
      await Promise.all([fleet.close(), shops?.close(), sellers?.close()])
    },
  }
}

/** `npm run sim -- demo`: settings by standard input, because keys do not belong on a command line. */
export const demoTool = tool({
  meta: { name: 'demo', description: 'A fleet that lives: what is ejected comes back somewhere 20-90 s later' },
  args: { quiet: { type: 'boolean', default: false, description: 'No line of JSON for what happens to the metal' } },
  async run({ quiet }) {
    const lines = createInterface({ input: process.stdin })
    void stopped().then(() => lines.close())
    let running: { close(): Promise<void> } | undefined
    try {
      for await (const line of lines) if (!running && line.trim() !== '') running = await begin(read(line), quiet)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      throw new RangeError(`not JSON: ${error.message}`, { cause: error })
    } finally {
      await running?.close()
    }
  },
})

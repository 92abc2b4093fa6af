import { createInterface } from 'node:readline'
import { jsonLine } from '../cabinet/journal.ts'
import { tool } from '../options.ts'
import { stopped } from '../stopped.ts'
import { customers } from './customers.ts'
import { type DemoFleet, type DemoSettings, type DemoStation, demoFleet } from './demo-fleet.ts'

/** For --help. */
export const demoManual = `Settings are one line of JSON on standard input, because keys do not belong on a command line:
  {"host":"127.0.0.1","port":9066,"stations":[{"boxId":"…","key":"…","dialect":"B","slots":8,"banks":4}]}
A station of dialect "mqtt" has an IMEI for a boxId and asks at "bootstrapPort" for its broker.
An "api":{"url":"http://localhost:8000","customers":["+79…"],"password":"…"} beside it has people borrow there, from
the stations whose "id" is given. "banks" are so many generated ones, or a list of ids; "heartbeatSeconds" and "returnSeconds":[20,90] may be set too.
It runs until standard input ends or it is told to stop. What happens to the metal is a line of JSON each.
`

/** What the line says: the fleet, and who borrows from it. */
interface Demo extends DemoSettings {
  stations: readonly (DemoStation & { id?: number })[]
  api?: { url: string; customers: readonly string[]; password: string }
}

function read(line: string): Demo {
  const given = JSON.parse(line)
  if (typeof given?.host !== 'string' || !Number.isInteger(given.port) || !Array.isArray(given.stations))
    throw new RangeError(
      'a line {"host":…,"port":…,"stations":[{"boxId":…,"key":…,"dialect":"B","slots":8}]} is wanted',
    )
  return given
}

/** `npm run sim -- demo`: settings by standard input, because keys do not belong on a command line. */
export const demoTool = tool({
  meta: { name: 'demo', description: 'A fleet that lives: what is ejected comes back somewhere 20-90 s later' },
  args: { quiet: { type: 'boolean', default: false, description: 'No line of JSON for what happens to the metal' } },
  async run({ quiet }) {
    const lines = createInterface({ input: process.stdin })
    void stopped().then(() => lines.close())
    let running: DemoFleet | undefined
    let people: { close(): void } | undefined
    try {
      for await (const line of lines) {
        if (running || line.trim() === '') continue
        const demo = read(line)
        running = demoFleet(demo)
        const stationIds = demo.stations.flatMap(({ id }) => (id === undefined ? [] : [id]))
        people = demo.api && customers({ ...demo.api, stationIds })
        for (const { box, journal } of quiet ? [] : running.cabinets)
          journal.watch((entry) => {
            if (entry.event === 'did' || entry.event === 'closed')
              process.stdout.write(`${JSON.stringify({ boxId: box.boxId, ...JSON.parse(jsonLine(entry)) })}\n`)
          })
      }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      throw new RangeError(`not JSON: ${error.message}`, { cause: error })
    } finally {
      people?.close()
      await running?.close()
    }
  },
})

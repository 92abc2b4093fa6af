import * as cabinets from '../simulators/cabinet/faults.ts'
import * as terminals from '../simulators/terminal/faults.ts'
import { placed } from './docs-place.ts'

function row([name, { doc, must, only, takes }]: [string, cabinets.FaultWords | terminals.FaultWords]): string {
  const wire = only === undefined ? '' : ` (${only.toUpperCase()})`
  const [what, otherwise] = takes?.split(', ') ?? []
  const value = what === undefined ? '' : `; \`=${what}\`: unless told ${otherwise}`
  return `| \`${name}\`${wire} | ${doc}${value} | ${must} |`
}

const table = (faults: Record<string, cabinets.FaultWords | terminals.FaultWords>) =>
  ['| fault | what it does | what the server must do |', '|---|---|---|', ...Object.entries(faults).map(row)].join('\n')

/** A page with the simulators' faults in their places. @throws Error it has no place for them */
export const withFaults = (page: string): string =>
  placed(placed(page, 'faults', table(cabinets.faults)), 'terminal faults', table(terminals.faults))

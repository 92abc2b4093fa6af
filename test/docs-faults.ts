import { type FaultWords, faultNames, faults } from '../simulators/cabinet/faults.ts'
import { placed } from './docs-place.ts'

function row(name: (typeof faultNames)[number]): string {
  const { doc, must, only, takes }: FaultWords = faults[name]
  const wire = only === undefined ? '' : ` (${only.toUpperCase()})`
  const [what, otherwise] = takes?.split(', ') ?? []
  const value = what === undefined ? '' : `; \`=${what}\`: unless told ${otherwise}`
  return `| \`${name}\`${wire} | ${doc}${value} | ${must} |`
}

/** A page with the simulator's faults in their place. @throws Error it has no place for them */
export function withFaults(page: string): string {
  const table = ['| fault | what it does | what the server must do |', '|---|---|---|', ...faultNames.map(row)]
  return placed(page, 'faults', table.join('\n'))
}

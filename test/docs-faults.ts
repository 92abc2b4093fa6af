import { type FaultWords, faultNames, faults } from '../simulators/cabinet/faults.ts'

const begin = /<!-- faults: .* -->\n/
const end = '<!-- /faults -->'

function row(name: (typeof faultNames)[number]): string {
  const { doc, must, only, takes }: FaultWords = faults[name]
  const wire = only === undefined ? '' : ` (${only.toUpperCase()})`
  const [what, otherwise] = takes?.split(', ') ?? []
  const value = what === undefined ? '' : `; \`=${what}\`: unless told ${otherwise}`
  return `| \`${name}\`${wire} | ${doc}${value} | ${must} |`
}

/** A page with the simulator's faults in their place. @throws Error it has no place for them */
export function withFaults(page: string): string {
  const at = begin.exec(page)
  const from = at ? at.index + at[0].length : -1
  const to = page.indexOf(end)
  if (from < 0 || to < from) throw new Error('no place for the faults')
  const table = ['| fault | what it does | what the server must do |', '|---|---|---|', ...faultNames.map(row)]
  return `${page.slice(0, from)}\n${table.join('\n')}\n\n${page.slice(to)}`
}

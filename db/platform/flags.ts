import { parseArgs } from 'node:util'

/**
 * Which of these flags the command line has, `help` always among them: for processes that have settings and no options.
 * @throws TypeError with a code (for `startOrExit`): anything else stands there
 */
export function flagsOf<N extends string>(...names: N[]): Record<N | 'help', boolean> {
  const options = Object.fromEntries(
    ['help', ...names].map((name) => [name, { type: 'boolean', default: false } as const]),
  )
  const { values } = parseArgs({ options })
  // Each has its default, so each is there.
  return values as Record<N | 'help', boolean>
}

/** A metric in what a process exports. */
export interface Family {
  type: string
  help: string
  samples: { name: string; labels: Record<string, string>; value: number }[]
}

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const label = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y
const parts: Record<string, string[]> = { histogram: ['_bucket', '_sum', '_count'], summary: ['', '_sum', '_count'] }

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  label.lastIndex = 0
  while (label.lastIndex < text.length) {
    const at = label.lastIndex
    const [, name, value] = label.exec(text) ?? []
    if (name === undefined || name in labels) throw new Error(`labels {${text}} at ${at}`)
    labels[name] = value!
  }
  return labels
}

/**
 * Reads Prometheus's text format, version 0.0.4, more strictly than Prometheus does: every sample behind the HELP and TYPE of
 * its metric, none twice, counters ending in _total. @throws Error with what is wrong
 */
export function families(text: string): Map<string, Family> {
  const found = new Map<string, Family>()
  const seen = new Set<string>()
  let current: [string, Family] | undefined
  if (!text.endsWith('\n')) throw new Error('it ends within a line')
  for (const row of text.split('\n').filter(Boolean)) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(row) ?? []
    if (kind === 'HELP') {
      if (found.has(name)) throw new Error(`${name} twice`)
      current = [name, { type: '', help: rest, samples: [] }]
      found.set(...current)
    } else if (kind === 'TYPE') {
      if (current?.[0] !== name) throw new Error(`${name} has no HELP`)
      if ((rest === 'counter') !== name.endsWith('_total')) throw new Error(`${name} is a ${rest}`)
      current[1].type = rest
    } else {
      const [, of = '', inner = '', number = ''] = line.exec(row) ?? []
      const suffixes = parts[current?.[1].type ?? ''] ?? ['']
      if (!suffixes.some((suffix) => of === `${current?.[0]}${suffix}`)) throw new Error(`not to be read here: ${row}`)
      const value = number === '+Inf' ? Infinity : Number(number)
      const key = row.slice(0, row.lastIndexOf(' '))
      if (Number.isNaN(value) || seen.has(key)) throw new Error(`no number, or said twice: ${row}`)
      seen.add(key)
      current![1].samples.push({ name: of, labels: labelsOf(inner), value })
    }
  }
  return found
}

const words = /^(?:by|without|on|ignoring|group_left|group_right|and|or|unless|offset|bool|inf|nan)$/i

/** The metrics that a query of PromQL asks for. */
export function metricsOf(query: string): string[] {
  const bare = query
    .replaceAll(/"[^"]*"|'[^']*'/g, '')
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, ' ')
    .replaceAll(/\b(?:by|without|on|ignoring)\s*\([^)]*\)/g, ' ')
  return [...bare.matchAll(/[a-zA-Z_:][\w:]*(?!\w*\s*\()/g)].map(([name]) => name).filter((name) => !words.test(name))
}

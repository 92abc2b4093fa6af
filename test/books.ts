import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Source } from './house.ts'

// What stands in docs/, and what the code says stands there.

const repository = join(import.meta.dirname, '..')
const readmeLinesMax = 120
const lineCharactersMax = 300
/** Names of documents that stand in no repository a reader has. */
const outside = /\b(?:HOUSE|HABITS|ROOMS|seed 00\d|cabinet-protocol|api-contracts|data-model)\b/

const read = (path: string) => readFileSync(join(repository, path), 'utf8')
const books = () => [
  'README.md',
  'findings/README.md',
  ...readdirSync(join(repository, 'docs')).map((name) => `docs/${name}`),
]

/** What a book can be cited by: a command `0x65`, the number `5.4` or `C8` of a heading, a heading's own words, `rule 6` of a numbered list. */
export interface Book {
  ids: ReadonlySet<string>
  headings: ReadonlySet<string>
  rules: ReadonlySet<string>
}

/** Reads what a book can be cited by. */
export function bookOf(text: string): Book {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, words]) => words!)
  const numbers = headings.flatMap((words) => /^[A-E]?\d+(?:\.\d+)*\b/.exec(words) ?? [])
  return {
    ids: new Set([...numbers, ...(text.match(/\b0x[0-9A-F]{2}\b/g) ?? [])]),
    headings: new Set(headings),
    rules: new Set([...text.matchAll(/^(\d+)\. /gm)].map(([, rule]) => rule!)),
  }
}

/** Comment lines joined, so that a citation may go over the end of one. */
const joined = (text: string) => text.replace(/\n\s*(?:\*|\/\/)(?!\/)\s?/g, ' ')

/** What is cited: the book, and `"heading"`, `rule 6` or ids as `5.4, 0xCF` behind its name. */
const citation =
  /docs\/([\w-]+\.md)(?: "([^"]+)"|(?: rule (\d+))|((?:(?:,| and)? (?:0x[0-9A-F]{2}|[A-E]?\d+(?:\.\d+)*)(?![\w-]))+))?/g

/** Citations in a text that name no book, or nothing that its book has. */
export function badCitations(text: string, bookNamed: (name: string) => Book | undefined): string[] {
  return [...joined(text).matchAll(citation)].flatMap(([whole, name, heading, rule, ids]) => {
    const book = bookNamed(name!)
    if (!book) return [`cites ${whole}: there is no such book`]
    if (heading !== undefined) return book.headings.has(heading) ? [] : [`cites ${whole}: no such heading`]
    if (rule !== undefined) return book.rules.has(rule) ? [] : [`cites ${whole}: no such rule`]
    const unknown = (ids?.match(/0x[0-9A-F]{2}|[A-E]?\d+(?:\.\d+)*/g) ?? []).filter((id) => !book.ids.has(id))
    return unknown.map((id) => `cites docs/${name} ${id}: no such section`)
  })
}

/** Links of a book to files of the repository that are not there. */
const deadLinks = (path: string, text: string) =>
  [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)]
    .filter(([, to]) => !existsSync(join(repository, dirname(path), to!)))
    .map(([, to]) => `links to ${to}, which is not there`)

const longLines = (text: string) =>
  text
    .split('\n')
    .flatMap((line, at) =>
      line.length > lineCharactersMax && !line.startsWith('|') ? [`line ${at + 1} is too long`] : [],
    )

/** A finding is run by hand: it must be a program. */
function deadFindings(): string[] {
  return readdirSync(join(repository, 'findings'))
    .filter((name) => name.endsWith('.sh'))
    .flatMap((name) => {
      try {
        accessSync(join(repository, 'findings', name), constants.X_OK)
        return []
      } catch {
        return [`findings/${name}: is not executable`]
      }
    })
}

/** All that is wrong with the books, and with what the sources say of them, as `path: fault`. */
export function bookFaults(sources: Source[]): string[] {
  const known = new Map<string, Book | undefined>()
  const bookNamed = (name: string) => {
    if (!known.has(name))
      known.set(name, existsSync(join(repository, 'docs', name)) ? bookOf(read(`docs/${name}`)) : undefined)
    return known.get(name)
  }
  const ofBooks = books().flatMap((path) => {
    const text = read(path)
    return [...longLines(text), ...deadLinks(path, text)].map((fault) => `${path}: ${fault}`)
  })
  const ofSources = sources.flatMap(({ path, text }) => {
    if (path.startsWith('test/books') || path.startsWith('test/house')) return []
    const named = outside.exec(text)
    const faults = [...badCitations(text, bookNamed), ...(named ? [`cites ${named[0]}, which nobody has`] : [])]
    return faults.map((fault) => `${path}: ${fault}`)
  })
  const readmeLines = read('README.md').trimEnd().split('\n').length
  const ofReadme = readmeLines > readmeLinesMax ? [`README.md: ${readmeLines} lines`] : []
  return [...ofReadme, ...ofBooks, ...ofSources, ...deadFindings()]
}

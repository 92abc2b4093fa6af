import { expect, test } from 'vitest'
import { badCitations, bookFaults, bookOf } from './books.ts'
import { readHouse } from './house.ts'

test('every citation names a book and a section that are there, and every link of a book a file', () => {
  expect(bookFaults(readHouse())).toEqual([])
})

const book = bookOf('# Book\n## 5. Five\n### 5.4 Commands\n### 0x68, 0x6B\n## C8. Clashes\n## Rules\n1. One\n')
const faults = (text: string) => badCitations(text, (name) => (name === 'book.md' ? book : undefined))

test.for([
  ['// docs/book.md 5.4'],
  ['/** (docs/book.md 5.4, 0x6B) */'],
  ['/**\n * as docs/book.md\n * "Rules" says\n */'],
  ['// docs/book.md rule 1, and docs/book.md C8'],
  ['// docs/book.md'],
])('found: %s', ([text]) => expect(faults(text!)).toEqual([]))

test.for([
  ['// docs/other.md 5.4', 'cites docs/other.md 5.4: there is no such book'],
  ['// docs/book.md 5.5', 'cites docs/book.md 5.5: no such section'],
  ['// docs/book.md 5.4, 0x6C', 'cites docs/book.md 0x6C: no such section'],
  ['// docs/book.md "Nothing"', 'cites docs/book.md "Nothing": no such heading'],
  ['// docs/book.md rule 2', 'cites docs/book.md rule 2: no such rule'],
] as const)('not found: %s', ([text, fault]) => expect(faults(text)).toEqual([fault]))

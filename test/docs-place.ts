/**
 * A page with a generated text in its place: between `<!-- NAME: … -->` and `<!-- /NAME -->`.
 * @throws Error it has no place for it
 */
export function placed(page: string, name: string, text: string): string {
  const begin = new RegExp(`<!-- ${name}: .* -->\\n`).exec(page)
  const from = begin ? begin.index + begin[0].length : -1
  const to = page.indexOf(`<!-- /${name} -->`)
  if (from < 0 || to < from) throw new Error(`no place for the ${name}`)
  return `${page.slice(0, from)}\n${text}\n\n${page.slice(to)}`
}

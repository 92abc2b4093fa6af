/** What is merged here of an OpenAPI operation; everything else is the first surface's. */
export interface Operation {
  summary?: string
  description?: string
  tags?: string[]
  parameters?: { name: string; in: string }[]
  requestBody?: { required?: boolean; content: Record<string, { schema: object }> }
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>
  /** Whose words it speaks: the first, or of several the one that the content of a request chooses. */
  'x-surfaces': string[]
}

type Content = Record<string, { schema: object }>

const variantsOf = (schema: object): object[] => ('oneOf' in schema ? (schema.oneOf as object[]) : [schema])

/** Media types of both; where both have one, its body is of one surface or of the other. */
function contents(one: Content, other: Content): Content {
  const merged = { ...other, ...one }
  for (const type of Object.keys(one))
    if (other[type])
      merged[type] = { schema: { oneOf: [...variantsOf(one[type]!.schema), ...variantsOf(other[type].schema)] } }
  return merged
}

const sentences = (...texts: (string | undefined)[]) => [...new Set(texts.filter(Boolean))]

function responses(one: Operation['responses'], other: Operation['responses']) {
  const merged = { ...other, ...one }
  for (const [status, response] of Object.entries(one)) {
    const same = other[status]
    if (!same) continue
    const description = sentences(response.description, same.description).join(' / ')
    merged[status] = { ...response, description, content: contents(response.content ?? {}, same.content ?? {}) }
  }
  return merged
}

/**
 * One description of an operation that two surfaces have on one path; the content of a request decides whose it is
 * (docs/contracts.md C1). A body, and an answer, is of the one or of the other.
 */
export function both(one: Operation, other: Operation): Operation {
  const known = one.parameters ?? []
  const parameters = [
    ...known,
    ...(other.parameters ?? []).filter((given) => !known.some((own) => own.name === given.name && own.in === given.in)),
  ]
  const body = one.requestBody ?? other.requestBody
  const content = contents(one.requestBody?.content ?? {}, other.requestBody?.content ?? {})
  const isRequired = Boolean(one.requestBody?.required && other.requestBody?.required)
  const surfaces = [...one['x-surfaces'], ...other['x-surfaces']]
  return {
    ...one,
    summary: sentences(one.summary, other.summary).join(' / '),
    description: sentences(
      `Общий путь (${surfaces.join(', ')}): чей это запрос, решает его содержание; в том же формате и ответ.`,
      one.description,
      other.description,
    ).join('\n\n'),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: { ...body, required: isRequired, content } } : {}),
    responses: responses(one.responses, other.responses),
    'x-surfaces': surfaces,
  }
}

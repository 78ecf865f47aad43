/**
 * Turns an XML element into a plain object guided by a JSON schema, and validates it. Attributes are scalars,
 * child elements are objects, repeated child elements are arrays. All errors come at once, each with its place.
 */
import { type DurationUnit, HoldfastError, messageOf, nearest, parseDuration } from '@holdfast/sdk'
import { compileSchema, type SchemaProblem } from '../schema/validate.js'
import { at, placeInText, type Position, type XmlElement } from './document.js'
import { allowedNames, type ElementSchema, isElement, readSchema } from './schema.js'

export const bindErrorsMax = 20
const shownMax = 80

export interface Binding {
  readonly value: unknown
  /** JSON pointer of each value that was written → where it was written. */
  readonly positions: ReadonlyMap<string, Position>
  /** JSON pointer of each text → where the character at this offset of it was written. */
  readonly places: ReadonlyMap<string, (offset: number) => Position>
}

/** Something wrong at a place. */
export interface Finding extends Position {
  readonly message: string
}

/** Returns the bound object. Throws `E_CONFIG_INVALID` with up to 20 lines `FILE:LINE:COLUMN: what, what is allowed`. */
export function bindElement(element: XmlElement, schema: object, file: string): unknown {
  const { binding, findings } = tryBind(element, schema)
  if (findings.length > 0) throw invalid(file, findings)
  return binding.value
}

/** The same without throwing: for callers that collect the findings of several schemas. */
export function tryBind(
  element: XmlElement,
  schema: object,
): { readonly binding: Binding; readonly findings: readonly Finding[] } {
  const binder = new Binder()
  const value = binder.bindObject(element, readSchema(schema), '')
  binder.validate(value, schema, element)
  return {
    binding: { value, positions: binder.positions, places: binder.places },
    findings: binder.findings,
  }
}

/** One error out of all findings, in the order of the document. */
export function invalid(file: string, findings: readonly Finding[]): HoldfastError {
  const sorted = [...findings].sort((a, b) => a.line - b.line || a.column - b.column)
  const lines = sorted.slice(0, bindErrorsMax).map((one) => `${at(file, one)}${one.message}`)
  const rest = sorted.length - lines.length
  if (rest > 0) lines.push(`… and ${String(rest)} more`)
  return new HoldfastError('E_CONFIG_INVALID', lines.join('\n'), {
    hint: `correct ${file} and try again; nothing was changed`,
    fields: { errors: sorted.length },
  })
}

/** The place of a JSON pointer, or of the nearest value around it that was written; in a text, of one character. */
export function positionOf(binding: Binding, pointer: string, offset = 0): Position {
  const place = binding.places.get(pointer)
  if (place !== undefined) return place(offset)
  for (let path = pointer; ; path = path.slice(0, path.lastIndexOf('/'))) {
    const position = binding.positions.get(path)
    if (position !== undefined) return position
    if (path === '') return { line: 1, column: 1 }
  }
}

class Binder {
  readonly positions = new Map<string, Position>()
  readonly places = new Map<string, (offset: number) => Position>()
  readonly findings: Finding[] = []
  /** What the binder could not convert: the validator must not complain about it a second time. */
  private readonly failed = new Set<string>()
  /** JSON pointer → the text as it is shown; nothing of a secret. */
  private readonly texts = new Map<string, string>()
  private readonly elementNames = new Map<string, string>()
  private readonly schemas = new Map<string, ElementSchema>()

  bindObject(element: XmlElement, schema: ElementSchema, pointer: string): object {
    this.positions.set(pointer, { line: element.line, column: element.column })
    this.elementNames.set(pointer, element.name)
    this.schemas.set(pointer, schema)
    const value: Record<string, unknown> = {}
    this.bindAttributes(element, schema, pointer, value)
    this.bindChildren(element, schema, pointer, value)
    this.bindText(element, schema, pointer, value)
    return value
  }

  validate(value: object, schema: object, root: Position): void {
    for (const problem of compileSchema(schema)(value)) {
      const missing = problem.keyword === 'required' ? `/${escape(problem.property ?? '')}` : ''
      if (this.failed.has(problem.pointer + missing)) continue
      const place = positionOf(
        { value, positions: this.positions, places: this.places },
        problem.pointer,
      )
      const position = problem.pointer === '' ? root : place
      this.findings.push({ ...position, message: this.sentence(problem) })
    }
  }

  private bindAttributes(
    element: XmlElement,
    schema: ElementSchema,
    pointer: string,
    value: Record<string, unknown>,
  ): void {
    for (const attribute of element.attributes) {
      const property = schema.properties.get(attribute.name)
      if (property === undefined || isElement(property) || attribute.name === '$text') {
        const allowed = allowedNames(schema, 'attribute')
        this.add(attribute, unknownName('attribute', attribute.name, element.name, allowed))
        continue
      }
      const path = `${pointer}/${escape(attribute.name)}`
      this.positions.set(path, { line: attribute.line, column: attribute.column })
      const label = `attribute "${attribute.name}" of <${element.name}>`
      this.setScalar(value, attribute.name, attribute.value, { schema: property, path, label })
    }
  }

  private bindChildren(
    element: XmlElement,
    schema: ElementSchema,
    pointer: string,
    value: Record<string, unknown>,
  ): void {
    const lists = new Map<string, unknown[]>()
    for (const child of element.children) {
      const property = schema.properties.get(child.name)
      if (property === undefined || !isElement(property)) {
        const allowed = allowedNames(schema, 'element')
        this.add(child, unknownName('element', child.name, element.name, allowed))
        continue
      }
      const path = `${pointer}/${escape(child.name)}`
      if (property.type !== 'array') {
        if (this.positions.has(path)) {
          this.add(child, `<${child.name}> is allowed only once in <${element.name}>`)
        } else value[child.name] = this.bindObject(child, property, path)
        continue
      }
      const list = lists.get(child.name) ?? []
      if (list.length === 0) {
        lists.set(child.name, list)
        value[child.name] = list
        this.positions.set(path, { line: child.line, column: child.column })
        this.elementNames.set(path, child.name)
      }
      list.push(this.bindItem(child, property, `${path}/${String(list.length)}`))
    }
  }

  private bindItem(child: XmlElement, list: ElementSchema, path: string): unknown {
    const item = list.items ?? readSchema({ type: 'string' })
    if (item.type === 'object') return this.bindObject(child, item, path)
    this.positions.set(path, { line: child.line, column: child.column })
    for (const attribute of child.attributes) {
      this.add(attribute, unknownName('attribute', attribute.name, child.name, []))
    }
    for (const inner of child.children) {
      this.add(inner, unknownName('element', inner.name, child.name, []))
    }
    const holder: Record<string, unknown> = {}
    const text = child.text.trim()
    this.setScalar(holder, 'text', text, { schema: item, path, label: `<${child.name}>` })
    return holder['text']
  }

  private bindText(
    element: XmlElement,
    schema: ElementSchema,
    pointer: string,
    value: Record<string, unknown>,
  ): void {
    const text = element.text.trim()
    if (text === '') return
    const property = schema.properties.get('$text')
    if (property === undefined) {
      this.add(element, `<${element.name}> may not contain text ("${text.slice(0, 40)}")`)
      return
    }
    const path = `${pointer}/$text`
    this.positions.set(path, { line: element.line, column: element.column })
    const skipped = element.text.length - element.text.trimStart().length
    this.places.set(path, (offset) => placeInText(element, skipped + offset))
    const label = `the text of <${element.name}>`
    this.setScalar(value, '$text', text, { schema: property, path, label })
  }

  private setScalar(
    target: Record<string, unknown>,
    name: string,
    text: string,
    place: { readonly schema: ElementSchema; readonly path: string; readonly label: string },
  ): void {
    const result = scalarOf(text, place.schema)
    const shown = place.schema.isSecret ? '' : ` is "${text.slice(0, shownMax)}"`
    this.texts.set(place.path, shown)
    if (result.ok) {
      target[name] = result.value
      return
    }
    this.failed.add(place.path)
    const position = this.positions.get(place.path) ?? { line: 1, column: 1 }
    this.add(position, `${place.label}${shown}: ${result.reason}`)
  }

  private sentence(problem: SchemaProblem): string {
    const owner = this.ownerOf(problem.pointer)
    if (problem.keyword === 'required') {
      const property = problem.property ?? ''
      const schema = this.schemas.get(problem.pointer)?.properties.get(property)
      if (property === '$text') return `<${owner}> must contain text`
      const what = schema !== undefined && isElement(schema) ? `element <${property}>` : undefined
      return `${what ?? `attribute "${property}"`} is missing in <${owner}>`
    }
    const name = problem.pointer.slice(problem.pointer.lastIndexOf('/') + 1)
    if (this.elementNames.has(problem.pointer)) return `<${owner}>: ${problem.message}`
    const shown = this.texts.get(problem.pointer) ?? ''
    const what = name === '$text' ? 'the text' : `attribute "${name}"`
    return `${what} of <${owner}>${shown}: ${problem.message}`
  }

  private ownerOf(pointer: string): string {
    for (let path = pointer; ; path = path.slice(0, path.lastIndexOf('/'))) {
      const name = this.elementNames.get(path)
      if (name !== undefined || path === '') return name ?? '?'
    }
  }

  private add(position: Position, message: string): void {
    this.findings.push({ line: position.line, column: position.column, message })
  }
}

type Scalar =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string }

function scalarOf(text: string, schema: ElementSchema): Scalar {
  if (schema.duration !== undefined) return durationOf(text, schema.duration)
  switch (schema.type) {
    case 'boolean':
      if (['on', 'true', 'yes'].includes(text)) return { ok: true, value: true }
      if (['off', 'false', 'no'].includes(text)) return { ok: true, value: false }
      return { ok: false, reason: 'allowed: on, off (or true, false, yes, no)' }
    case 'integer': {
      const number = Number(text)
      const isInteger = /^[+-]?\d+$/.test(text.trim()) && Number.isSafeInteger(number)
      return isInteger
        ? { ok: true, value: number }
        : { ok: false, reason: 'allowed: a whole number' }
    }
    case 'number': {
      const isNumber = /^[+-]?\d+(\.\d+)?$/.test(text.trim())
      return isNumber
        ? { ok: true, value: Number(text) }
        : { ok: false, reason: 'allowed: a number' }
    }
    default:
      return { ok: true, value: text }
  }
}

function durationOf(text: string, unit: DurationUnit): Scalar {
  try {
    return { ok: true, value: parseDuration(text, unit) }
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    return { ok: false, reason: `${messageOf(thrown)}; ${thrown.hint ?? ''}` }
  }
}

function unknownName(
  kind: 'attribute' | 'element',
  name: string,
  owner: string,
  allowed: readonly string[],
): string {
  const shown = kind === 'attribute' ? `"${name}"` : `<${name}>`
  const near = nearest(name, allowed)
  const hint = near === undefined ? '' : ` (did you mean "${near}"?)`
  const list = allowed.length === 0 ? 'none' : allowed.join(', ')
  return `unknown ${kind} ${shown} in <${owner}>${hint}; allowed: ${list}`
}

/** A JSON pointer's segment. */
function escape(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

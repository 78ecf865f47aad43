/** Reads a module's `conf/userconfig.xml`: `<safe>` with macros and one `<service>`, macros expanded. Pure. */
import { HoldfastError, nearest } from '@holdfast/sdk'
import { type Finding, invalid } from '../xml/bind.js'
import { parseXml, placeInText, type TextMark, type XmlElement } from '../xml/document.js'

export const macrosMax = 200
/** Macros may use earlier macros: without a maximum, 20 lines could make gigabytes. */
export const expandedCharactersMax = 64 * 1024

export interface UserConfig {
  readonly service: XmlElement
  readonly macros: ReadonlyMap<string, string>
}

/** Throws `E_XML_*` or `E_CONFIG_INVALID`, every finding with its place in `file`. */
export function parseUserConfig(text: string, file: string): UserConfig {
  const { config, findings } = tryUserConfig(text, file)
  if (findings.length > 0 || config === undefined) throw invalid(file, findings)
  return config
}

/** The same for callers that want the findings as data; `E_XML_*` is thrown all the same. */
export function tryUserConfig(
  text: string,
  file: string,
): { readonly config: UserConfig | undefined; readonly findings: readonly Finding[] } {
  const root = parseXml(text, file)
  const findings: Finding[] = []
  const add = (at: XmlElement, message: string): void => {
    findings.push({ line: at.line, column: at.column, message })
  }
  if (root.name !== 'safe') add(root, `the root is <${root.name}>, it must be <safe>`)
  for (const attribute of root.attributes) {
    findings.push({ ...attribute, message: `unknown attribute "${attribute.name}" in <safe>` })
  }
  if (root.text.trim() !== '') add(root, '<safe> may not contain text')
  const macros = readMacros(root, findings)
  const services: XmlElement[] = []
  for (const child of root.children) {
    if (child.name === 'service') services.push(child)
    else if (child.name !== 'macro') {
      add(child, `unknown element <${child.name}> in <safe>; allowed: macro, service`)
    }
  }
  const [service, second] = services
  if (service === undefined) add(root, 'element <service> is missing in <safe>')
  if (second !== undefined) add(second, '<service> is allowed only once in <safe>')
  const expanded = service === undefined ? undefined : expandElement(service, macros, findings)
  return { config: expanded === undefined ? undefined : { service: expanded, macros }, findings }
}

function readMacros(root: XmlElement, findings: Finding[]): Map<string, string> {
  const macros = new Map<string, string>()
  for (const element of root.children.filter((child) => child.name === 'macro')) {
    const add = (message: string): void => {
      findings.push({ line: element.line, column: element.column, message })
    }
    const name = element.attributes.find((attribute) => attribute.name === 'name')
    const value = element.attributes.find((attribute) => attribute.name === 'value')
    const isPlain = element.attributes.length === 2 && element.children.length === 0
    if (name === undefined || value === undefined || !isPlain) {
      add('<macro> must have the attributes name and value, and nothing else')
      continue
    }
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name.value)) {
      add(
        `"${name.value}" can't be the name of a macro: letters, digits and underscore, at most 64`,
      )
    } else if (macros.has(name.value)) add(`the macro ${name.value} is defined twice`)
    else if (macros.size >= macrosMax) add(`more than ${String(macrosMax)} macros`)
    else macros.set(name.value, expandText(value.value, value, macros, findings))
  }
  return macros
}

function expandElement(
  element: XmlElement,
  macros: ReadonlyMap<string, string>,
  findings: Finding[],
): XmlElement {
  return {
    ...element,
    attributes: element.attributes.map((attribute) => ({
      ...attribute,
      value: expandText(attribute.value, attribute, macros, findings),
    })),
    children: element.children.map((child) => expandElement(child, macros, findings)),
    ...expandContent(element, macros, findings),
  }
}

/** The text that is not from a macro keeps its place in the file. */
function expandContent(
  element: XmlElement,
  macros: ReadonlyMap<string, string>,
  findings: Finding[],
): Pick<XmlElement, 'text' | 'textMarks'> {
  const textMarks: TextMark[] = []
  let text = ''
  let offset = 0
  // Every second part is a macro's use, because the pattern is in brackets.
  for (const part of element.text.split(/(%[A-Za-z_][A-Za-z0-9_]*%)/)) {
    const place = placeInText(element, offset)
    const end = offset + part.length
    textMarks.push({ offset: text.length, ...place })
    for (const mark of element.textMarks) {
      const isInside = mark.offset > offset && mark.offset < end
      if (isInside) textMarks.push({ ...mark, offset: text.length + mark.offset - offset })
    }
    text += expandText(part, place, macros, findings, text.length)
    offset = end
  }
  return { text, textMarks }
}

/** A percent sign that does not enclose a name stays what it is. `lengthBefore`: what was made of the same text already. */
function expandText(
  text: string,
  at: { readonly line: number; readonly column: number },
  macros: ReadonlyMap<string, string>,
  findings: Finding[],
  lengthBefore = 0,
): string {
  let length = lengthBefore + text.length
  return text.replaceAll(/%([A-Za-z_][A-Za-z0-9_]*)%/g, (whole, name: string) => {
    const value = macros.get(name)
    length += value?.length ?? 0
    if (value !== undefined && length <= expandedCharactersMax) return value
    const known = [...macros.keys()].sort()
    const near = nearest(name, known)
    const hint = near === undefined ? '' : ` (did you mean %${near}%?)`
    const list = known.length === 0 ? 'none' : known.join(', ')
    const message =
      value === undefined
        ? `unknown macro ${whole}${hint}; defined: ${list}`
        : `the macros make a text of more than ${String(expandedCharactersMax)} characters`
    findings.push({ line: at.line, column: at.column, message })
    return ''
  })
}

/** What the core itself reads of `<service>`; the topology's schema validates it. */
export interface BootRule {
  /** `auto`: only when the operator had it started before. Anything else in the configuration means off. */
  readonly mode: 'on' | 'off' | 'auto'
  readonly delayMs: number
}

export function bootRuleOf(topologyConfig: unknown): BootRule {
  const service = member(topologyConfig, 'service')
  const boot = member(service, 'boot')
  const delay = member(service, 'boot_delay')
  const delayMs = typeof delay === 'number' ? delay * 1_000 : 0
  if (boot === true || boot === 'on') return { mode: 'on', delayMs }
  return { mode: boot === 'auto' ? 'auto' : 'off', delayMs }
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.entries(value).find(([key]) => key === name)?.[1]
}

/** `[a-z]` first: names become directories, unit names and parts of socket paths. */
export function assertModuleName(name: string): void {
  if (/^[a-z][a-z0-9_-]{0,31}$/.test(name)) return
  throw new HoldfastError('E_MODULE_NAME', `"${name.slice(0, 64)}" can't be the name of a module`, {
    hint: 'use up to 32 lower-case letters, digits, minus and underscore, beginning with a letter',
  })
}

/**
 * Makes a package out of an archive that was made for a product with the same kind of configuration: what is
 * understood is taken over, everything else is left out and told, nothing is guessed. Pure.
 */
import { HoldfastError } from '@holdfast/sdk'
import type { Finding } from '../xml/bind.js'
import { at, parseXml, type XmlElement } from '../xml/document.js'
import { manifestName } from './manifest.js'
import { makePackage, type ModulePackage, type PackageFile } from './package.js'
import { configurationName } from './parameters.js'

export interface Conversion {
  readonly package: ModulePackage
  /** One sentence each. */
  readonly report: readonly string[]
}

/** Everything wrong with a configuration for the plugins of this node. */
export type Examine = (xml: string) => readonly Finding[]

const scriptPath = /^bin\/[^/]+$/
const windowsScript = /\.(cmd|bat|ps1|psm1|psd1|vbs|exe|dll)$/i
const obsolete: readonly (readonly [RegExp, string])[] = [
  [/^conf\/userconfig\.xml\.template$/, 'the form of an older console is not used'],
  [/^web\//, 'pages of an older console are not used'],
  [/^manifest\.xml$/, 'replaced by module.json'],
  [/^conf\/modulekey\./, 'keys come from the cluster, a module needs none of its own'],
]

/** `id` becomes the name in module.json. */
export function convert(
  files: readonly PackageFile[],
  options: { readonly id: string; readonly origin: string; readonly examine: Examine },
): Conversion {
  const report: string[] = []
  const kept = files.flatMap((file) => {
    const converted = convertFile(file, options.examine, report)
    return converted === undefined ? [] : [converted]
  })
  const manifest: PackageFile = {
    path: manifestName,
    isExecutable: false,
    data: Buffer.from(`${JSON.stringify(manifestFor(options.id, options.origin), undefined, 2)}\n`),
  }
  const hasScripts = kept.some(({ path }) => scriptPath.test(path))
  if (!hasScripts)
    report.push('bin/: no script is left that runs on Linux; write start_prim and stop_prim')
  return { package: makePackage([...kept, manifest], options.origin), report }
}

function convertFile(
  file: PackageFile,
  examine: Examine,
  report: string[],
): PackageFile | undefined {
  const { path } = file
  const reason = obsolete.find(([pattern]) => pattern.test(path))?.[1]
  if (reason !== undefined) {
    report.push(`${path}: left out, ${reason}`)
    return undefined
  }
  if (path === manifestName) {
    report.push(`${path}: left out, it is made new`)
    return undefined
  }
  if (path === configurationName) return convertConfiguration(file, examine, report)
  if (windowsScript.test(path)) {
    report.push(`${path}: left out, scripts for Windows are not supported`)
    return undefined
  }
  return scriptPath.test(path) ? convertScript(file, report) : file
}

/** Archives made on Windows have neither modes nor Unix line ends; a script without both does not run. */
function convertScript(file: PackageFile, report: string[]): PackageFile {
  const text = file.data.toString('utf8')
  if (!text.startsWith('#!')) return file
  const lines = text.split('\n')
  for (const [index, line] of lines.entries()) {
    if (/^\s*#/.test(line)) continue
    const call = /(^|[\s/;&|"'`(])safekit\s+\w/.exec(line)
    if (call === null) continue
    report.push(
      `${file.path}:${index + 1}: calls the command of the other product; write the one of holdfast: ${line.trim().slice(0, 120)}`,
    )
  }
  const data = text.includes('\r\n') ? Buffer.from(text.replaceAll('\r\n', '\n')) : file.data
  if (data !== file.data) report.push(`${file.path}: line ends changed to those of Unix`)
  return { ...file, data, isExecutable: true }
}

function convertConfiguration(file: PackageFile, examine: Examine, report: string[]): PackageFile {
  const xml = file.data.toString('utf8').replace(/^\uFEFF/, '')
  const findings = examine(xml)
  if (findings.length === 0) {
    report.push(`${configurationName}: everything in it is supported`)
    return file
  }
  const root = parseXml(xml, configurationName)
  const text = `${written(root, placesOf(findings), 0, report)}\n`
  // What is left needs a decision: the place is that of the new text.
  for (const finding of examine(text)) {
    report.push(`${at(configurationName, finding)}to be corrected by hand: ${finding.message}`)
  }
  return { ...file, data: Buffer.from(text) }
}

type Places = ReadonlyMap<string, string>

function placesOf(findings: readonly Finding[]): Places {
  return new Map(findings.map((finding) => [placeOf(finding), finding.message]))
}

function placeOf({ line, column }: { readonly line: number; readonly column: number }): string {
  return `${line}:${column}`
}

/** The element without what is not supported; an element that is not supported becomes a comment. */
function written(element: XmlElement, places: Places, depth: number, report: string[]): string {
  const indent = '  '.repeat(depth)
  const attributes = element.attributes.filter((attribute) => {
    const message = places.get(placeOf(attribute))
    if (message === undefined) return true
    const name = `${at(configurationName, attribute)}${attribute.name}="${attribute.value}"`
    report.push(`${name} of <${element.name}>: left out: ${message}`)
    return false
  })
  const start = `<${element.name}${attributes.map(({ name, value }) => ` ${name}="${escaped(value)}"`).join('')}`
  const children = element.children.map((child) => childText(child, places, depth + 1, report))
  const text = element.text.trim()
  if (children.length === 0 && text === '') return `${indent}${start}/>`
  if (children.length === 0) return `${indent}${start}>${escaped(text)}</${element.name}>`
  const content = text === '' ? children : [`${indent}  ${escaped(text)}`, ...children]
  return [`${indent}${start}>`, ...content, `${indent}</${element.name}>`].join('\n')
}

function childText(child: XmlElement, places: Places, depth: number, report: string[]): string {
  const message = places.get(placeOf(child))
  // What is said of <service> as a whole can't be mended by leaving it out.
  if (message === undefined || child.name === 'service')
    return written(child, places, depth, report)
  report.push(`${at(configurationName, child)}<${child.name}>: left out: ${message}`)
  const whole = written(child, new Map(), 0, []).replaceAll('--', '- -')
  return `${'  '.repeat(depth)}<!-- not supported: ${whole} -->`
}

function escaped(text: string): string {
  const named: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  }
  return text.replace(/[&<>"]/g, (character) => named[character] ?? character)
}

function manifestFor(id: string, origin: string): object {
  if (!/^[a-z][a-z0-9_-]{0,31}$/.test(id)) {
    throw new HoldfastError('E_PACKAGE_INVALID', `"${id}" can't be the name of a module`, {
      hint: 'use up to 32 lower-case letters, digits, minus and underscore',
    })
  }
  const name = origin.slice(origin.lastIndexOf('/') + 1).slice(0, 100)
  return {
    ...{ id, version: '0.0.0', title: `${id}, converted from ${name}` },
    platforms: ['linux'],
  }
}

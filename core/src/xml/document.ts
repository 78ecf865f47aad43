/**
 * Reads an XML document into a tree in which every element and attribute knows its line and column.
 * Input may be hostile: no DOCTYPE, no entities of its own, and written maxima for size and depth.
 */
import { HoldfastError } from '@holdfast/sdk'
import { SaxesParser } from 'saxes'

export const xmlBytesMax = 1024 * 1024
export const xmlDepthMax = 64

/** A place in a file, both counted from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface XmlAttribute extends Position {
  readonly name: string
  readonly value: string
}

/** From `offset` on, each character of a text stands one column further in the file, until the next mark. */
export interface TextMark extends Position {
  readonly offset: number
}

export interface XmlElement extends Position {
  readonly name: string
  readonly attributes: readonly XmlAttribute[]
  readonly children: readonly XmlElement[]
  /** All character data directly inside this element. */
  readonly text: string
  /** Where the text stands in the file: CDATA, references and line ends make it differ from a plain copy. */
  readonly textMarks: readonly TextMark[]
}

/** The place of a character of an element's text. */
export function placeInText(element: XmlElement, offset: number): Position {
  const mark = element.textMarks.findLast((one) => one.offset <= offset)
  if (mark === undefined) return { line: element.line, column: element.column }
  return { line: mark.line, column: mark.column + offset - mark.offset }
}

/** `FILE:LINE:COLUMN: `, as every message about a configuration begins. */
export function at(file: string, position: Position): string {
  return `${file}:${String(position.line)}:${String(position.column)}: `
}

/** Where the character at a position of `text` stands in it. */
export function offsetOf(text: string, { line, column }: Position): number {
  let offset = 0
  for (let passed = 1; passed < line; passed += 1) offset = text.indexOf('\n', offset) + 1
  return offset + column - 1
}

/** Returns the root element. Throws HoldfastError `E_XML_*` whose message begins with the position. */
export function parseXml(text: string, file: string): XmlElement {
  const bytes = Buffer.byteLength(text)
  if (bytes > xmlBytesMax) {
    throw new HoldfastError(
      'E_XML_TOO_LARGE',
      `${at(file, { line: 1, column: 1 })}the document has ${String(bytes)} bytes, at most ${String(xmlBytesMax)} are allowed`,
      { hint: 'split the configuration, or move data out of it' },
    )
  }
  return new Reader(text, file).read()
}

const cdataBegin = '<![CDATA['

interface OpenElement extends XmlElement {
  readonly attributes: XmlAttribute[]
  readonly children: XmlElement[]
  readonly textMarks: TextMark[]
  text: string
}

class Reader {
  private readonly parser = new SaxesParser({ xmlns: false, position: true })
  private readonly open: OpenElement[] = []
  private readonly lineStarts: number[]
  private root: XmlElement | undefined
  private pending: { attributes: XmlAttribute[]; position: Position } | undefined
  /** Not after the `>` of the last tag, comment, instruction or CDATA: the next text begins behind that. */
  private lastMarkup = 0

  constructor(
    private readonly source: string,
    private readonly file: string,
  ) {
    this.lineStarts = lineStartsOf(source)
  }

  read(): XmlElement {
    const { parser } = this
    parser.on('error', (error) => {
      this.refuse('E_XML_SYNTAX', error.message.replace(/^\d+:\d+: /, '').replace(/\.$/, ''))
    })
    parser.on('doctype', () => {
      this.refuse('E_XML_DOCTYPE', 'DOCTYPE and entity declarations are not allowed', {
        hint: 'remove the DOCTYPE and write the values where they are used',
      })
    })
    parser.on('opentagstart', () => {
      const begin = this.source.lastIndexOf('<', parser.position - 1)
      this.pending = { attributes: [], position: this.positionOf(begin) }
    })
    parser.on('attribute', ({ name, value }) => {
      this.pending?.attributes.push({ name, value, ...this.attributePosition(name) })
    })
    parser.on('opentag', ({ name }) => {
      this.passMarkup()
      this.enter(name)
    })
    parser.on('closetag', () => {
      this.passMarkup()
      this.leave()
    })
    parser.on('text', (text) => {
      this.addText(text, this.source.indexOf('>', this.lastMarkup) + 1, true)
    })
    parser.on('cdata', (text) => {
      const begin = this.source.indexOf(cdataBegin, this.lastMarkup) + cdataBegin.length
      this.addText(text, begin, false)
      this.passMarkup()
    })
    parser.on('comment', () => {
      this.passMarkup()
    })
    parser.on('processinginstruction', () => {
      this.passMarkup()
    })
    parser.write(this.source).close()
    if (this.root === undefined) this.refuse('E_XML_SYNTAX', 'the document has no element')
    return this.root
  }

  private enter(name: string): void {
    const position = this.pending?.position ?? { line: 1, column: 1 }
    if (this.open.length >= xmlDepthMax) {
      this.refuse(
        'E_XML_TOO_DEEP',
        `elements are nested more than ${String(xmlDepthMax)} levels deep`,
        { position },
      )
    }
    this.open.push({
      name,
      attributes: this.pending?.attributes ?? [],
      children: [],
      text: '',
      textMarks: [],
      ...position,
    })
    this.pending = undefined
  }

  private leave(): void {
    const element = this.open.pop()
    if (element === undefined) return
    const parent = this.open.at(-1)
    if (parent === undefined) this.root ??= element
    else parent.children.push(element)
  }

  /** The parser tells some markup before it consumes the closing `>`, some after. */
  private passMarkup(): void {
    this.lastMarkup = Math.max(0, this.parser.position - 1)
  }

  /** Follows the source beside the text that the parser made of it. */
  private addText(text: string, begin: number, hasReferences: boolean): void {
    const current = this.open.at(-1)
    if (current === undefined) return
    const base = current.text.length
    const mark = (index: number, at: number): void => {
      current.textMarks.push({ offset: base + index, ...this.positionOf(at) })
    }
    let at = begin
    mark(0, at)
    for (let index = 0; index < text.length;) {
      const unit = this.source.charAt(at)
      if (hasReferences && unit === '&') {
        at = this.source.indexOf(';', at) + 1
        index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1
      } else {
        at += unit === '\r' && this.source.charAt(at + 1) === '\n' ? 2 : 1
        index += 1
        if (unit !== '\r' && unit !== '\n') continue
      }
      mark(index, at)
    }
    current.text += text
  }

  /** The parser reports an attribute when its value is closed: its beginning is found backwards. */
  private attributePosition(name: string): Position {
    const closing = this.parser.position - 1
    const opening = this.source.lastIndexOf(this.source.charAt(closing), closing - 1)
    const begin = this.source.lastIndexOf(name, opening - 1)
    return this.positionOf(begin < 0 ? closing : begin)
  }

  private positionOf(offset: number): Position {
    let low = 0
    let high = this.lineStarts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.lineStarts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (this.lineStarts[low] ?? 0) + 1 }
  }

  private refuse(
    code: string,
    what: string,
    options: { position?: Position; hint?: string } = {},
  ): never {
    const position = options.position ?? { line: this.parser.line, column: this.parser.column + 1 }
    const hint = options.hint ?? 'correct the document at this place'
    throw new HoldfastError(code, `${at(this.file, position)}${what}`, { hint })
  }
}

function lineStartsOf(source: string): number[] {
  const starts = [0]
  for (let end = source.indexOf('\n'); end >= 0; end = source.indexOf('\n', end + 1)) {
    starts.push(end + 1)
  }
  return starts
}

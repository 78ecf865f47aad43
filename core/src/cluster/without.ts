/** cluster.xml without one node; everything else of the text, comments too, stays as the operator wrote it. Pure. */
import { offsetOf, parseXml, type XmlElement } from '../xml/document.js'

/** `xml` is a cluster.xml that was accepted: names hold nothing that a tag could be mistaken for. */
export function withoutNode(xml: string, node: string): string {
  return elementsOf(parseXml(xml, 'cluster.xml'), node)
    .map((element) => offsetOf(xml, element))
    .sort((a, b) => b - a) // From the end: the places before stay where they are.
    .reduce(cut, xml)
}

function elementsOf(element: XmlElement, node: string): readonly XmlElement[] {
  const isIt =
    element.name === 'node' &&
    element.attributes.some(({ name, value }) => name === 'name' && value === node)
  return isIt ? [element] : element.children.flatMap((child) => elementsOf(child, node))
}

/** With its line, when nothing else stands there. */
function cut(xml: string, begin: number): string {
  const [tag = ''] = /^<node\b[^>]*?(\/>|>\s*<\/node\s*>)/.exec(xml.slice(begin)) ?? []
  const before = xml.slice(0, begin)
  const after = xml.slice(begin + tag.length)
  const isWholeLine = /(^|\n)[ \t]*$/.test(before) && /^[ \t]*\r?\n/.test(after)
  if (!isWholeLine) return before + after
  return before.replace(/[ \t]*$/, '') + after.replace(/^[ \t]*\r?\n/, '')
}

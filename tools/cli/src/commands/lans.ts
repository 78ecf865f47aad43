/**
 * `--lan default=n1:10.0.0.1,n2:10.0.0.2`: the cluster.xml that it stands for, and refusals of it in the words that
 * were typed: whoever wrote no file is not told of its lines. Pure.
 */
import { HoldfastError } from '@holdfast/sdk'
import { usageError } from '../exit.js'

export interface TypedLans {
  /** What is wrong in names and addresses, the node says. */
  readonly xml: string
  /** The same error, about the command line. */
  readonly reworded: (error: HoldfastError) => HoldfastError
}

/** A line of the document, and what was typed for it. */
interface Line {
  readonly text: string
  readonly typed: string
}

export function typedLans(lans: readonly string[]): TypedLans {
  const frame = (text: string): Line => ({ text, typed: '--lan' })
  const lines = [
    frame('<cluster>'),
    frame('  <lans>'),
    ...lans.flatMap(linesOf),
    frame('  </lans>'),
    frame('</cluster>'),
  ]
  return {
    xml: lines.map(({ text }) => `${text}\n`).join(''),
    reworded: (error) => reworded(error, lines),
  }
}

function linesOf(typed: string): readonly Line[] {
  const [, lan = '', members = ''] = /^([^=]+)=(.+)$/.exec(typed) ?? []
  const nodes = members.split(',').map((member) => /^([^:]+):(.+)$/.exec(member))
  if (lan === '' || nodes.includes(null)) {
    const example = 'write --lan default=n1:10.0.0.1,n2:10.0.0.2'
    throw usageError(`--lan ${typed} is not understood`, example)
  }
  const place = `--lan ${lan}`
  return [
    { text: `    <lan name="${escape(lan)}">`, typed: place },
    ...nodes.map((node) => ({
      text: `      <node name="${escape(node?.[1] ?? '')}" addr="${escape(node?.[2] ?? '')}"/>`,
      typed: `${place}=…${node?.[0] ?? ''}`,
    })),
    { text: '    </lan>', typed: place },
  ]
}

const words: readonly (readonly [RegExp, string])[] = [
  [/attribute "addr" of <node>/g, 'the address'],
  [/attribute "name" of <node>/g, 'the name of the node'],
  [/attribute "name" of <lan>/g, 'the name of the network'],
  [/<lan>/g, '--lan'],
  [/^cluster\.xml names/, '--lan names'],
]
const hints: Readonly<Record<string, string>> = {
  E_CONFIG_INVALID: 'correct --lan and try again; nothing was changed',
  E_CLUSTER_PORT:
    'write an address of this node behind its name; if another program uses the port, stop it, or write a cluster.xml with another port',
}

function reworded(error: HoldfastError, lines: readonly Line[]): HoldfastError {
  const typedAt = (line: string): string => lines[Number(line) - 1]?.typed ?? '--lan'
  const message = error.message
    .split('\n')
    .map((text) =>
      words
        .reduce((sentence, [written, typed]) => sentence.replace(written, typed), text)
        .replace(/^cluster\.xml:(\d+):\d+: /, (_, line: string) => `${typedAt(line)}: `)
        .replace(/first in line (\d+)/, (_, line: string) => `first in ${typedAt(line)}`),
    )
    .join('\n')
  const isNode = error.code === 'E_CLUSTER_NODE'
  const hint = isNode ? `${error.hint ?? ''}; --node says which one this is` : hints[error.code]
  const known = hint ?? error.hint
  return new HoldfastError(error.code, message, {
    cause: error,
    fields: error.fields,
    ...(known === undefined ? {} : { hint: known }),
  })
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${String(character.charCodeAt(0))};`)
}

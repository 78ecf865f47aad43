/** What a message looks like as a mail. Pure. */
import type { LogLevel, Notice, NoticeMessage } from '@holdfast/sdk'

const subjectCharactersMax = 150
const order: readonly LogLevel[] = ['critical', 'warning', 'event', 'info', 'debug']

/** The most serious notice, then how many others there are. */
export function subjectOf({ cluster, node, notices }: NoticeMessage): string {
  const [first] = notices.toSorted((a, b) => order.indexOf(a.level) - order.indexOf(b.level))
  const story = first === undefined ? 'nothing' : `${placeOf(first)}${first.text}`
  const others = notices.length > 1 ? ` (and ${String(notices.length - 1)} more)` : ''
  const level = first?.level === 'critical' ? 'CRITICAL ' : ''
  const head = `[${cluster}/${node}] ${level}${story}`
  return `${cut(head, subjectCharactersMax - others.length)}${others}`
}

export function textOf(message: NoticeMessage): string {
  const { cluster, node, notices, dropped } = message
  const lines = notices.flatMap((notice) => [
    `${new Date(notice.atMs).toISOString()}  ${notice.level}  ${placeOf(notice)}${notice.text}`,
    ...(notice.hint === undefined ? [] : [`    what to do: ${notice.hint}`]),
  ])
  const lost = `${String(dropped)} older ones came too fast and are in the log only.`
  return [
    `Node ${node} of the cluster ${cluster} reports:`,
    '',
    ...lines,
    ...(dropped === 0 ? [] : ['', lost]),
    '',
    `All of it, on ${node}: holdfast log`,
    '',
  ].join('\n')
}

function placeOf({ module }: Notice): string {
  return module === undefined ? '' : `module ${module}: `
}

function cut(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1)}…`
}

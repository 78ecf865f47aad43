/** Reads a secret that must not be on a command line. */
import { usageError } from '../exit.js'
import type { Context } from '../spec.js'

const charactersMax = 8192

/** The first line of standard input; a person is asked for it and does not see it. */
export async function readSecret(context: Context, question: string): Promise<string> {
  const { stdin, terminal } = context
  const isPerson = stdin.isTTY
  if (isPerson) {
    terminal.err(`${question}(paste it, then Enter; it is not shown)`)
    stdin.setRawMode(true)
  }
  try {
    const secret = await firstLine(stdin)
    if (secret !== '') return secret
  } finally {
    if (isPerson) stdin.setRawMode(false)
    stdin.pause()
  }
  throw usageError('no token was given', 'holdfast cluster join < FILE, or set HOLDFAST_TOKEN')
}

/** In raw mode the keys of the terminal are ours: Ctrl-C and Ctrl-D end the input. */
function firstLine(stdin: NodeJS.ReadStream): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const end = (line: string) => {
      stdin.off('data', onData)
      stdin.off('end', onEnd)
      resolve(line.trim())
    }
    const onData = (chunk: string) => {
      text += chunk
      if (/[\u0003\u0004]/.test(text)) {
        end('')
        return
      }
      const line = /^(.*?)[\r\n]/.exec(text)?.[1]
      if (line !== undefined) {
        end(line)
        return
      }
      if (text.length > charactersMax) end('')
    }
    const onEnd = () => {
      end(text)
    }
    stdin.setEncoding('utf8')
    stdin.on('data', onData)
    stdin.once('end', onEnd)
  })
}

/** Asks the person at the terminal for required parameters of a module that have no value yet; without one nothing is asked. */
import { createInterface } from 'node:readline/promises'
import type { PackageParameter, PackageSource } from '@holdfast/sdk'
import { usageError } from '../exit.js'
import type { Context } from '../spec.js'

type Values = Readonly<Record<string, string>>
type Given = Pick<PackageSource, 'parameters'>
/** Shows the lines, then the prompt; returns what was typed. */
type Ask = (lines: readonly string[], prompt: string) => Promise<string>

const triesMax = 3

/** What is given and the answers. Nobody was asked: what was given; the node tells what is missing. */
export async function withAnswers(
  context: Context,
  parameters: readonly PackageParameter[],
  given: Given,
): Promise<Given> {
  const { stdin, terminal } = context
  const values = given.parameters ?? {}
  const missing = missingOf(parameters, values)
  if (!stdin.isTTY || missing.length === 0) return given
  const screen = createInterface({ input: stdin, output: process.stderr })
  const ended = new AbortController()
  screen.once('close', () => ended.abort())
  try {
    const ask: Ask = async (lines, prompt) => {
      for (const line of lines) terminal.sentence(line)
      return await screen.question(prompt, { signal: ended.signal })
    }
    return { parameters: { ...values, ...(await answersTo(missing, ask)) } }
  } catch (error) {
    if (!ended.signal.aborted) throw error
    throw usageError('the questions were not answered', 'nothing was installed; or write --param')
  } finally {
    screen.close()
  }
}

/** In the order of the module's own list. */
export function missingOf(
  parameters: readonly PackageParameter[],
  given: Values,
): readonly PackageParameter[] {
  return parameters.filter(
    ({ name, required, value }) => required && value === '' && !Object.hasOwn(given, name),
  )
}

export async function answersTo(
  parameters: readonly PackageParameter[],
  ask: Ask,
): Promise<Values> {
  const answers: Record<string, string> = {}
  for (const parameter of parameters) answers[parameter.name] = await answerTo(parameter, ask)
  return answers
}

/** A number or the word itself, where there are choices. What else is wrong with a value the node says. */
async function answerTo(
  { name, title, choices = [] }: PackageParameter,
  ask: Ask,
): Promise<string> {
  const numbered = choices.map((choice, index) => `  ${String(index + 1)}  ${choice}`)
  const prompt = choices.length === 0 ? '  ' : `  1 to ${String(choices.length)}: `
  for (let tries = 0; tries < triesMax; tries += 1) {
    const typed = (await ask([`${name}: ${title ?? ''}`, ...numbered], prompt)).trim()
    const answer = choices.length === 0 ? typed : (choices[Number(typed) - 1] ?? typed)
    const isAnswer = choices.length === 0 ? answer !== '' : choices.includes(answer)
    if (isAnswer) return answer
  }
  throw usageError(`${name} has no value`, `write --param ${name}=${choices.join('|') || 'VALUE'}`)
}

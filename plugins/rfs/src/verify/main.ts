/** `node main.js A B [--json] [--no-mtimes]`: compares two trees. Exit code 0 when equal, 1 when not, 2 when it can't tell. */
import { messageOf } from '@holdfast/sdk'
import { compareTrees, type Difference } from './compare.js'

function describe(difference: Difference): string {
  return `${difference.path}: ${difference.what}: ${difference.left} | ${difference.right}`
}

function main(words: readonly string[]): number {
  const [left, right, ...more] = words.filter((word) => !word.startsWith('--'))
  const unknown = words.filter((word) => word.startsWith('--') && !OPTIONS.includes(word))
  if (left === undefined || right === undefined || more.length > 0 || unknown.length > 0) {
    console.error('usage: node main.js DIRECTORY DIRECTORY [--json] [--no-mtimes]')
    return 2
  }
  const differences = compareTrees(left, right, { mtimes: !words.includes('--no-mtimes') })
  if (words.includes('--json')) {
    console.log(JSON.stringify({ identical: differences.length === 0, differences }))
  } else {
    for (const difference of differences) console.log(describe(difference))
  }
  return differences.length === 0 ? 0 : 1
}

const OPTIONS = ['--json', '--no-mtimes']
try {
  process.exitCode = main(process.argv.slice(2))
} catch (thrown) {
  console.error(messageOf(thrown))
  process.exitCode = 2
}

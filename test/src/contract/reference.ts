/** The sdk as a document: every exported name with its promise and its declaration, from what the compiler wrote. */
import { basename } from 'node:path'
import ts from 'typescript'

interface Entry {
  readonly name: string
  readonly file: string
  readonly promise: string
  readonly declaration: string
}

/** `entries`: title → the `.d.ts` of what is imported under that title. */
export function referenceOf(entries: Readonly<Record<string, string>>): string {
  const program = ts.createProgram(Object.values(entries), {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    skipLibCheck: true,
    types: ['node'],
  })
  const parts = Object.entries(entries).map(([title, path]) => sectionOf(program, title, path))
  return `${head}\n${parts.join('\n')}`
}

const head = `# The sdk

What \`@holdfast/sdk\` promises to plugins. This file is made from the doc comments and declarations of \`sdk/src\`: a test fails when it
differs, so that a change of the contract is seen in review. After a wanted change: \`HOLDFAST_UPDATE=1 npx ava test/dist/contract/reference.test.js\`.
`

function sectionOf(program: ts.Program, title: string, path: string): string {
  const file = program.getSourceFile(path)
  if (file === undefined) throw new Error(`${path} is missing: build the sdk first`)
  const checker = program.getTypeChecker()
  const module = checker.getSymbolAtLocation(file)
  if (module === undefined) throw new Error(`${path} exports nothing`)
  const found = checker.getExportsOfModule(module).flatMap((symbol) => entryOf(checker, symbol))
  const files = [...new Set(found.map((entry) => entry.file))].sort()
  const text = files.map((name) => {
    const own = found.filter((entry) => entry.file === name)
    return `### ${name}\n\n${own.sort(byName).map(textOf).join('\n')}`
  })
  return `## ${title}\n\n${text.join('\n')}`
}

function entryOf(checker: ts.TypeChecker, exported: ts.Symbol): readonly Entry[] {
  const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0
  const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported
  return (symbol.declarations ?? []).map((declaration) => ({
    name: exported.name,
    file: basename(declaration.getSourceFile().fileName, '.d.ts'),
    promise: ts.displayPartsToString(symbol.getDocumentationComment(checker)),
    declaration: declarationText(declaration),
  }))
}

/** With the comments of members: those are promises, too. The comment above stands outside of the block. */
function declarationText(declaration: ts.Declaration): string {
  const isVariable = ts.isVariableDeclaration(declaration)
  const node = isVariable ? declaration.parent.parent : declaration
  return node
    .getText()
    .replace(/^export (declare )?/, '')
    .replaceAll(/^ {4}/gm, '  ')
}

function textOf({ promise, declaration }: Entry): string {
  const code = `\`\`\`ts\n${declaration}\n\`\`\`\n`
  return promise === '' ? code : `${promise}\n\n${code}`
}

function byName(a: Entry, b: Entry): number {
  return a.name < b.name ? -1 : 1
}

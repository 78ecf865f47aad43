/** What the rules need to know about one TypeScript file. The only file that knows the compiler. */
import ts from 'typescript'

import type { TextFile } from './repository.js'

export interface ImportFact {
  readonly from: string
  /** Nothing of it is left after compilation. */
  readonly typeOnly: boolean
  /** Imported values by their name there; `*` and `default` stand for themselves. */
  readonly names: readonly string[]
  readonly line: number
}

export interface PlaceFact {
  readonly text: string
  readonly line: number
}

export interface SourceFacts {
  readonly path: string
  readonly lines: number
  readonly imports: readonly ImportFact[]
  readonly functions: readonly {
    readonly name: string
    readonly line: number
    readonly lines: number
  }[]
  /** Names that are used as values and not declared as a property: `Date`, `process`, `setTimeout`. */
  readonly identifiers: readonly PlaceFact[]
  /** `Math.random`, `performance.now`. */
  readonly members: readonly PlaceFact[]
  readonly strings: readonly PlaceFact[]
  readonly comments: readonly PlaceFact[]
  readonly awaits: readonly number[]
  readonly anyTypes: readonly number[]
  readonly defaultExports: readonly number[]
  /** Type assertions without a comment on their line, the line before, or at the end of their statement. */
  readonly bareAssertions: readonly number[]
}

export function factsOf({ path, text }: TextFile): SourceFacts {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true)
  const collector = new Collector(file)
  collector.visit(file)
  return collector.facts(path, text)
}

class Collector {
  private readonly imports: ImportFact[] = []
  private readonly functions: { name: string; line: number; lines: number }[] = []
  private readonly identifiers: PlaceFact[] = []
  private readonly members: PlaceFact[] = []
  private readonly strings: PlaceFact[] = []
  private readonly awaits: number[] = []
  private readonly anyTypes: number[] = []
  private readonly defaultExports: number[] = []
  private readonly assertions: { readonly first: number; readonly last: number }[] = []

  constructor(private readonly file: ts.SourceFile) {}

  visit(node: ts.Node): void {
    this.note(node)
    ts.forEachChild(node, (child) => {
      this.visit(child)
    })
  }

  facts(path: string, text: string): SourceFacts {
    const comments = commentsOf(this.file, text)
    const commented = new Set(comments.flatMap(({ line, text: one }) => linesOf(line, one)))
    return {
      path,
      lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
      imports: this.imports,
      functions: this.functions,
      identifiers: this.identifiers,
      members: this.members,
      strings: this.strings,
      comments,
      awaits: this.awaits,
      anyTypes: this.anyTypes,
      defaultExports: this.defaultExports,
      bareAssertions: this.assertions
        .filter(({ first, last }) => !between(first - 1, last).some((line) => commented.has(line)))
        .map(({ first }) => first),
    }
  }

  private note(node: ts.Node): void {
    const line = this.lineAt(node.getStart(this.file))
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) this.noteImport(node, line)
    if (ts.isCallExpression(node)) this.noteDynamicImport(node, line)
    if (isFunction(node)) this.noteFunction(node, line)
    if (ts.isAwaitExpression(node)) this.awaits.push(line)
    if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) this.awaits.push(line)
    if (node.kind === ts.SyntaxKind.AnyKeyword) this.anyTypes.push(line)
    if (ts.isExportAssignment(node) || isDefaultExport(node)) this.defaultExports.push(line)
    if (ts.isAsExpression(node) && !ts.isConstTypeReference(node.type)) {
      this.assertions.push({ first: line, last: this.lineAt(statementOf(node).getEnd()) })
    }
    if (ts.isStringLiteralLike(node)) this.strings.push({ text: node.text, line })
    if (ts.isPropertyAccessExpression(node)) {
      this.members.push({ text: `${node.expression.getText(this.file)}.${node.name.text}`, line })
    }
    if (ts.isIdentifier(node) && isValueUse(node)) this.identifiers.push({ text: node.text, line })
  }

  private noteImport(node: ts.ImportDeclaration | ts.ExportDeclaration, line: number): void {
    if (node.moduleSpecifier === undefined || !ts.isStringLiteral(node.moduleSpecifier)) return
    const names = ts.isImportDeclaration(node) ? importedNames(node) : exportedNames(node)
    const sideEffect = ts.isImportDeclaration(node) && node.importClause === undefined
    const from = node.moduleSpecifier.text
    this.imports.push({ from, names, line, typeOnly: names.length === 0 && !sideEffect })
  }

  private noteDynamicImport(node: ts.CallExpression, line: number): void {
    const [first] = node.arguments
    if (node.expression.kind !== ts.SyntaxKind.ImportKeyword || first === undefined) return
    if (!ts.isStringLiteralLike(first)) return
    this.imports.push({ from: first.text, names: ['*'], line, typeOnly: false })
  }

  private noteFunction(node: ts.FunctionLikeDeclaration, line: number): void {
    const lines = this.lineAt(node.getEnd()) - line + 1
    this.functions.push({ name: nameOf(node, this.file), line, lines })
  }

  private lineAt(position: number): number {
    return this.file.getLineAndCharacterOfPosition(position).line + 1
  }
}

function importedNames(node: ts.ImportDeclaration): string[] {
  const clause = node.importClause
  if (clause === undefined || clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return []
  const names = clause.name === undefined ? [] : ['default']
  const bindings = clause.namedBindings
  if (bindings === undefined) return names
  if (ts.isNamespaceImport(bindings)) return [...names, '*']
  return [...names, ...valuesOf(bindings.elements)]
}

function exportedNames(node: ts.ExportDeclaration): string[] {
  if (node.isTypeOnly) return []
  if (node.exportClause === undefined || ts.isNamespaceExport(node.exportClause)) return ['*']
  return valuesOf(node.exportClause.elements)
}

function valuesOf(elements: readonly (ts.ImportSpecifier | ts.ExportSpecifier)[]): string[] {
  return elements
    .filter((element) => !element.isTypeOnly)
    .map((element) => (element.propertyName ?? element.name).text)
}

function isFunction(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isFunctionExpression(node) ||
    ts.isArrowFunction(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isConstructorDeclaration(node) ||
    ts.isGetAccessorDeclaration(node) ||
    ts.isSetAccessorDeclaration(node)
  )
}

/** A name that stays when lines move: its own, or that of what holds it. */
function nameOf(node: ts.Node, file: ts.SourceFile): string {
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  if ('name' in node && node.name !== undefined) {
    const name: unknown = node.name
    if (typeof name === 'object' && name !== null && 'getText' in name) {
      return (name as ts.Node).getText(file) // Every node has getText; `in` cannot tell the compiler.
    }
  }
  const holder = node.parent
  if (ts.isVariableDeclaration(holder) || ts.isPropertyAssignment(holder)) {
    return holder.name.getText(file)
  }
  if (ts.isCallExpression(holder)) return `in ${holder.expression.getText(file).slice(0, 40)}`
  return 'anonymous'
}

function isDefaultExport(node: ts.Node): boolean {
  if (!ts.canHaveModifiers(node)) return false
  const kinds = ts.getModifiers(node)?.map((modifier) => modifier.kind) ?? []
  return kinds.includes(ts.SyntaxKind.DefaultKeyword)
}

/** Not the name of a member, a property, a declaration or a type. */
function isValueUse(node: ts.Identifier): boolean {
  const holder = node.parent
  if (ts.isPropertyAccessExpression(holder)) return holder.expression === node
  if (ts.isPropertyAssignment(holder)) return holder.initializer === node
  if (ts.isQualifiedName(holder) || ts.isTypeReferenceNode(holder)) return false
  if (ts.isImportSpecifier(holder) || ts.isExportSpecifier(holder)) return false
  return !('name' in holder && holder.name === node)
}

function statementOf(node: ts.Node): ts.Node {
  let at = node
  while (!ts.isStatement(at) && !ts.isClassElement(at) && !ts.isSourceFile(at.parent))
    at = at.parent
  // A block is a statement too: the assertion itself is the better place then.
  return ts.isBlock(at) ? node : at
}

function commentsOf(file: ts.SourceFile, text: string): PlaceFact[] {
  const found: PlaceFact[] = []
  const seen = new Set<number>()
  const visit = (node: ts.Node): void => {
    for (const ranges of [
      ts.getLeadingCommentRanges(text, node.getFullStart()),
      ts.getTrailingCommentRanges(text, node.getEnd()),
    ]) {
      for (const { pos, end } of ranges ?? []) {
        if (seen.has(pos)) continue
        seen.add(pos)
        const line = file.getLineAndCharacterOfPosition(pos).line + 1
        found.push({ text: text.slice(pos, end), line })
      }
    }
    for (const child of node.getChildren(file)) visit(child)
  }
  visit(file)
  return found
}

function linesOf(first: number, text: string): number[] {
  return between(first, first + text.split('\n').length - 1)
}

function between(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

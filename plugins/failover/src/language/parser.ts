/**
 * Parses the text of `<failover>`:
 *
 *   rules      ::= { label ':' 'if' '(' or ')' 'then' action ';' }
 *   or         ::= and { '||' and }          and ::= unary { '&&' unary }
 *   unary      ::= '!' unary | '(' or ')' | comparison
 *   comparison ::= operand ('==' | '!=') operand
 *   operand    ::= ['local.' | 'remote.'] class '.' (name | '?' | '*') | 'cluster()' | state
 *   action     ::= ('stop' | 'stopstart' | 'wait' | 'restart' | 'swap') '()' | resource '=' state
 *
 * Comments stand between slash-star and star-slash. After an error it goes on behind the next semicolon, so that
 * one look finds more than one.
 */
import type { ResourceValue } from '@holdfast/sdk'
import {
  type Condition,
  type Consequence,
  isWild,
  type ResourceName,
  resourceValues,
  type Rule,
  ruleActions,
  type RuleError,
} from './rule.js'

export const rulesMax = 200
export const errorsMax = 20
/** Parentheses and negations inside each other. */
export const depthMax = 50

export interface ParsedRule extends Rule {
  readonly offset: number
}

export interface Parsed {
  readonly rules: readonly ParsedRule[]
  readonly errors: readonly RuleError[]
}

export function parseRules(text: string, origin: 'operator' | 'default' = 'operator'): Parsed {
  return new Parser(text, origin).parse()
}

class ParseFailure extends Error {
  constructor(
    readonly offset: number,
    message: string,
  ) {
    super(message)
  }
}

const blank = /(?:\s+|\/\*[^]*?\*\/)*/y
const labelForm = /[A-Za-z_][A-Za-z0-9_-]*/y
const wordForm = /[A-Za-z_][A-Za-z0-9_]*/y
const resourceForm =
  /(?:(local|remote)\.)?([A-Za-z][A-Za-z0-9_-]*)\.([?*]|[A-Za-z0-9_](?:[A-Za-z0-9_.:-]*[A-Za-z0-9_])?)/y
/** What an error shows of the text that does not fit. */
const tokenForm = /[A-Za-z0-9_.:?*/-]+|&&?|\|\|?|[=!]=?|[^]/y

type Operand =
  | { readonly kind: 'resource'; readonly name: ResourceName; readonly offset: number }
  | { readonly kind: 'state'; readonly value: ResourceValue; readonly offset: number }

class Parser {
  private offset = 0
  private depth = 0

  constructor(
    private readonly text: string,
    private readonly origin: string,
  ) {}

  parse(): Parsed {
    const rules: ParsedRule[] = []
    const errors: RuleError[] = []
    this.skip()
    while (this.offset < this.text.length) {
      try {
        if (rules.length >= rulesMax) this.fail(`more than ${String(rulesMax)} rules`)
        rules.push(this.rule())
      } catch (thrown) {
        if (!(thrown instanceof ParseFailure)) throw thrown
        errors.push({ offset: thrown.offset, message: thrown.message })
        const semicolon = this.text.indexOf(';', this.offset)
        if (errors.length >= errorsMax || semicolon < 0) break
        this.depth = 0
        this.offset = semicolon + 1
        this.skip()
      }
    }
    return { rules, errors }
  }

  private rule(): ParsedRule {
    const begin = this.offset
    if (this.text.startsWith('--', begin)) {
      this.fail(
        'rules in Lua are not understood: write them as label: if (condition) then action();',
      )
    }
    const label = this.label()
    this.take(':')
    this.word('if')
    this.take('(')
    const condition = this.or()
    this.closed()
    this.word('then')
    const then = this.consequence()
    this.take(';')
    const text = this.text.slice(begin, this.offset).trim().replaceAll(/\s+/g, ' ')
    return { label, condition, then, text, origin: this.origin, offset: begin }
  }

  private label(): string {
    const begin = this.offset
    if (/^(?:\/\/|#)/.test(this.text.slice(begin, begin + 2))) {
      this.fail('comments stand between "/*" and "*/"')
    }
    const label = this.match(labelForm) ?? this.expected('the label of a rule')
    if (label === 'if' && !this.text.startsWith(':', this.offset)) {
      this.failAt(begin, 'this rule has no label: write label: if (condition) then action();')
    }
    return label
  }

  private or(): Condition {
    let left = this.and()
    while (this.accept('||')) left = { kind: 'or', left, right: this.and() }
    return left
  }

  private and(): Condition {
    let left = this.unary()
    while (this.accept('&&')) left = { kind: 'and', left, right: this.unary() }
    return left
  }

  private unary(): Condition {
    if (this.depth >= depthMax) this.fail(`conditions nest deeper than ${String(depthMax)} levels`)
    this.depth += 1
    const condition = this.nested()
    this.depth -= 1
    return condition
  }

  private nested(): Condition {
    if (!this.text.startsWith('!=', this.offset) && this.accept('!')) {
      return { kind: 'not', of: this.unary() }
    }
    if (!this.accept('(')) return this.comparison()
    const inner = this.or()
    this.closed()
    return inner
  }

  private comparison(): Condition {
    const left = this.operand('a resource like tcp.web, "!" or "("')
    const equal = this.accept('==')
    if (!equal && !this.accept('!=')) this.expected('"==" or "!="')
    const right = this.operand('a state (init, down, up, unknown) or a resource')
    if (left.kind === 'state' && right.kind === 'state') {
      this.failAt(left.offset, 'one side of a comparison must be a resource')
    }
    if (left.kind === 'state') return this.compare(right, equal, left)
    return this.compare(left, equal, right)
  }

  private compare(left: Operand, equal: boolean, right: Operand): Condition {
    if (left.kind !== 'resource') return this.failAt(left.offset, 'expected a resource')
    if (right.kind === 'state') {
      return { kind: 'compare', resource: left.name, equal, with: right.value }
    }
    if (isWild(left.name) || isWild(right.name)) {
      this.failAt(right.offset, '"?" and "*" can only be compared with a state')
    }
    return { kind: 'compare', resource: left.name, equal, with: right.name }
  }

  private operand(what: string): Operand {
    const offset = this.offset
    const name = this.resource()
    if (name !== undefined) return { kind: 'resource', name, offset }
    const word = this.match(wordForm)
    if (word === 'cluster') {
      this.take('(')
      this.take(')')
      return { kind: 'resource', name: { side: 'local', class: 'cluster', id: 'peer' }, offset }
    }
    const value = resourceValues.find((one) => one === word)
    if (value !== undefined) return { kind: 'state', value, offset }
    this.offset = offset
    return this.expected(what)
  }

  private resource(): ResourceName | undefined {
    if (this.text.startsWith('0/1', this.offset)) {
      this.fail('the prefix "0/1" is not understood: name the resource without it')
    }
    resourceForm.lastIndex = this.offset
    const found = resourceForm.exec(this.text)
    const [whole, side, className, id] = found ?? []
    if (whole === undefined || className === undefined || id === undefined) return undefined
    if (className === 'local' || className === 'remote') {
      this.fail(`"${className}." stands before class and name: ${className}.tcp.web`)
    }
    this.advance(whole.length)
    return { side: side === 'remote' ? 'remote' : 'local', class: className, id }
  }

  private consequence(): Consequence {
    const offset = this.offset
    const name = this.resource()
    if (name !== undefined) return this.assignment(name, offset)
    const word = this.match(wordForm)
    const order = ruleActions.find((one) => one === word)
    if (order === undefined) {
      this.offset = offset
      return this.expected(`an action: ${ruleActions.map((one) => `${one}()`).join(', ')}`)
    }
    this.take('(')
    this.take(')')
    return { kind: 'order', order }
  }

  private assignment(name: ResourceName, offset: number): Consequence {
    const written = this.text.slice(offset, this.offset).trim()
    this.take('=')
    const valueOffset = this.offset
    const word = this.match(wordForm)
    const value = resourceValues.find((one) => one === word)
    if (value === undefined) {
      this.offset = valueOffset
      return this.expected('a state (init, down, up, unknown)')
    }
    const objection = objectionTo(name)
    if (objection !== undefined) {
      const allowed = 'only one of class custom can be set (custom.x = up)'
      return this.failAt(offset, `${written} can't be set by a rule: ${objection}; ${allowed}`)
    }
    return { kind: 'set', name: `custom.${name.id}`, value }
  }

  private word(word: string): void {
    const offset = this.offset
    if (this.match(wordForm) === word) return
    this.offset = offset
    this.expected(`"${word}"`)
  }

  /** The end of a parenthesis around a condition, which might go on as well. */
  private closed(): void {
    if (!this.accept(')')) this.expected('")", "&&" or "||"')
  }

  private take(sign: string): void {
    if (!this.accept(sign)) this.expected(`"${sign}"`)
  }

  private accept(sign: string): boolean {
    if (!this.text.startsWith(sign, this.offset)) return false
    this.advance(sign.length)
    return true
  }

  private match(form: RegExp): string | undefined {
    form.lastIndex = this.offset
    const found = form.exec(this.text)?.[0]
    if (found !== undefined) this.advance(found.length)
    return found
  }

  private advance(length: number): void {
    this.offset += length
    this.skip()
  }

  private skip(): void {
    blank.lastIndex = this.offset
    this.offset += blank.exec(this.text)?.[0].length ?? 0
  }

  private expected(what: string): never {
    if (this.text.startsWith('/*', this.offset)) return this.fail('this comment has no end: "*/"')
    tokenForm.lastIndex = this.offset
    const found = tokenForm.exec(this.text)?.[0]
    return this.fail(
      `expected ${what}, found ${found === undefined ? 'the end of the rules' : `"${found}"`}`,
    )
  }

  private fail(message: string): never {
    return this.failAt(this.offset, message)
  }

  private failAt(offset: number, message: string): never {
    throw new ParseFailure(offset, message)
  }
}

/** Why a rule can't set this resource; undefined: it can. */
function objectionTo(name: ResourceName): string | undefined {
  if (name.side === 'remote') return 'it belongs to the other node'
  if (isWild(name)) return '"?" and "*" mean several'
  return name.class === 'custom' ? undefined : 'whoever watches it says what it is'
}

/** What an operator should see beside the state of a module: something of it is not as usual. */
import { point } from './token.js'

export interface Remark {
  /** One sentence that says what is so, and how it ends; undefined: all is as usual. Asked whenever the state is shown, so it must be quick. */
  text(): string | undefined
}

export const remark = point<Remark>('point.remark')

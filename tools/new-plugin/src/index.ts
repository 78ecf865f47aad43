/** Tools for people who write plugins: begin one, check it, pack it. */
export { checkContract, type ContractResult, type ContractSetting } from './contract/index.js'
export { newPlugin } from './new.js'
export { packPlugin } from './pack.js'
